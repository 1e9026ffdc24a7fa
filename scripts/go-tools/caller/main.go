// Command caller makes unary calls with grpc-go, one after the other on each of some connections, until its standard input
// ends. Then it prints how many ended with which status, as JSON. The library repeats nothing but what no server has seen.
package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

// bytesCodec sends and receives messages as they are.
type bytesCodec struct{}

func (bytesCodec) Name() string { return "proto" }

func (bytesCodec) Marshal(message any) ([]byte, error) { return *message.(*[]byte), nil }

func (bytesCodec) Unmarshal(data []byte, message any) error {
	*message.(*[]byte) = append([]byte(nil), data...)
	return nil
}

type tally struct {
	mutex sync.Mutex
	ends  map[string]int
}

func (t *tally) add(end string) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.ends[end]++
}

func endOf(err error) string {
	if err == nil {
		return codes.OK.String()
	}
	return fmt.Sprintf("%v: %s", status.Code(err), status.Convert(err).Message())
}

func main() {
	address := flag.String("address", "", "host and port of the server")
	method := flag.String("method", "", "path of a unary method")
	requestHex := flag.String("request", "", "the encoded request, in hexadecimal")
	connections := flag.Int("connections", 1, "how many connections")
	inFlight := flag.Int("in-flight", 1, "how many calls at a time on each")
	flag.Parse()
	request, err := hex.DecodeString(*requestHex)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}

	stopping := make(chan struct{})
	go func() {
		io.Copy(io.Discard, os.Stdin)
		close(stopping)
	}()
	results := tally{ends: map[string]int{}}
	var callers sync.WaitGroup
	for range *connections {
		options := []grpc.DialOption{
			grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithDefaultCallOptions(grpc.ForceCodec(bytesCodec{})),
		}
		connection, err := grpc.NewClient("passthrough:///"+*address, options...)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		defer connection.Close()
		for range *inFlight {
			callers.Go(func() {
				for {
					select {
					case <-stopping:
						return
					default:
					}
					ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
					var answer []byte
					end := endOf(connection.Invoke(ctx, *method, &request, &answer))
					cancel()
					results.add(end)
					if end != codes.OK.String() {
						// While nobody can be reached, calls fail at once.
						time.Sleep(10 * time.Millisecond)
					}
				}
			})
		}
	}
	callers.Wait()
	json.NewEncoder(os.Stdout).Encode(results.ends)
}
