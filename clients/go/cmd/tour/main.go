// Command tour calls a QScope server with every grant, and prints what it got
// as one JSON object a line. Its argument is a file of settings; see README.md.
package main

import (
	"context"
	"fmt"
	"os"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: tour SETTINGS.json")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "tour:", err)
		os.Exit(1)
	}
}

func run(path string) error {
	settings, err := readSettings(path)
	if err != nil {
		return err
	}
	tour, err := begin(settings, os.Stdout)
	if err != nil {
		return err
	}
	defer tour.end()
	stops := []func(context.Context) error{
		tour.mint, tour.check, tour.certificate, tour.codes, tour.refresh, tour.devices, tour.exchange,
		tour.offline, tour.verifiers, tour.revoke, tour.manage, tour.refusals, tour.lost,
	}
	for _, stop := range stops {
		if err := stop(context.Background()); err != nil {
			return err
		}
	}
	return nil
}
