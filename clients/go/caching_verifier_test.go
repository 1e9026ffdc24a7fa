package qscope

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

const patience = 10 * time.Second

// cachingTable is clients/conformance/caching-verifier-cases.json; the README
// there says what its members mean.
type cachingTable struct {
	Clock        int64
	Issuer       string
	Audience     string
	BoundMs      int `json:"bound_ms"`
	Certificates map[string]string
	Claims       caseClaims
	Tokens       map[string]struct {
		Keys     []string
		Claims   json.RawMessage
		TokenUse string `json:"token_use"`
	}
	Cases []cachingCase
}

type caseClaims struct {
	ClientID    string `json:"client_id"`
	Subject     string
	Scopes      []string
	Audiences   []string
	IssuedIn    int64 `json:"issued_in"`
	ExpiresIn   int64 `json:"expires_in"`
	Certificate *string
	Extra       map[string]any
}

type cachingCase struct {
	Name           string
	Start          string
	MaxAnswers     int    `json:"max_answers"`
	MaxRevocations int    `json:"max_revocations"`
	KeySet         string `json:"key_set"`
	Steps          []cachingStep
}

type cachingStep struct {
	Use            string
	Audience       json.RawMessage
	RequiredScopes []string `json:"required_scopes"`
	Certificate    string
	Result         string
	Asks           string
	Joins          string

	Answer  string
	With    string
	Keys    []string
	Results []string

	Poll  string
	From  string
	Tells []struct {
		Key          string
		ForgetIn     *int64 `json:"forget_in"`
		NoForgetTime bool   `json:"no_forget_time"`
	}
	Next      string
	More      bool
	Reset     bool
	CoveredMs int64 `json:"covered_ms"`

	Clock *clockStep
	Close bool
}

// clockStep is by how much the clocks move.
type clockStep struct {
	MonotonicMs int64 `json:"monotonic_ms"`
	WallMs      int64 `json:"wall_ms"`
}

// finishedTokens is clients/conformance/caching-verifier-tokens.json.
type finishedTokens struct {
	Keys   json.RawMessage
	Tokens map[string]string
}

func readConformance[T any](t testing.TB, name string) *T {
	t.Helper()
	text, err := os.ReadFile("../conformance/" + name)
	if err != nil {
		t.Fatal(err)
	}
	read := new(T)
	if err := json.Unmarshal(text, read); err != nil {
		t.Fatal(err)
	}
	return read
}

// virtualClock stands still until it is moved; waiting takes no time.
type virtualClock struct {
	mu sync.Mutex
	at moment
}

func (c *virtualClock) now() moment {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *virtualClock) pause(context.Context, time.Duration) {}

func (c *virtualClock) move(monotonic, wall time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at.monotonic += monotonic
	c.at.wall += wall
}

func TestCachingVerifierKeepsToTheSharedCases(t *testing.T) {
	table := readConformance[cachingTable](t, "caching-verifier-cases.json")
	finished := readConformance[finishedTokens](t, "caching-verifier-tokens.json")
	if len(table.Cases) < 100 {
		t.Fatal("the table lacks cases")
	}
	for _, each := range table.Cases {
		t.Run(each.Name, func(t *testing.T) {
			t.Parallel()
			run := beginCase(t, table, finished, each)
			defer run.verifier.Close()
			for index, step := range each.Steps {
				if !run.play(step) {
					text, _ := json.Marshal(step)
					t.Fatalf("step %d, %s", index+1, text)
				}
			}
		})
	}
}

// caseRun plays one case.
type caseRun struct {
	testing.TB
	table    *cachingTable
	finished *finishedTokens
	server   *scriptedServer
	clock    *virtualClock
	verifier *CachingVerifier
	asked    map[string]*askedQuestion
	isClosed bool
}

// askedQuestion is on its way, and so many uses wait for it.
type askedQuestion struct {
	*heldQuestion
	waiting []<-chan string
}

func beginCase(t testing.TB, table *cachingTable, finished *finishedTokens, script cachingCase) *caseRun {
	clock := &virtualClock{at: moment{monotonic: time.Hour, wall: time.Duration(table.Clock) * time.Second}}
	server := newScriptedServer(t, table, finished, script.KeySet)
	config := CachingConfig{
		Client: WithSecret("warehouse", "qcs_secret"), Audience: table.Audience,
		Bound:      time.Duration(table.BoundMs) * time.Millisecond,
		MaxAnswers: script.MaxAnswers, MaxRevocations: script.MaxRevocations,
	}
	if script.Start == "history" {
		config.Issuer = table.Issuer
	}
	verifier, err := newCachingVerifier(server, config, clock)
	if err != nil {
		t.Fatal(err)
	}
	return &caseRun{
		TB: t, table: table, finished: finished, server: server, clock: clock, verifier: verifier,
		asked: map[string]*askedQuestion{},
	}
}

// play is false where the step came out otherwise; then it has said how.
func (r *caseRun) play(step cachingStep) bool {
	ok := true
	switch {
	case step.Use != "":
		ok = r.use(step)
	case step.Answer != "":
		ok = r.answer(step)
	case step.Poll != "":
		ok = r.poll(step)
	case step.Clock != nil:
		r.clock.move(milliseconds(step.Clock.MonotonicMs), milliseconds(step.Clock.WallMs))
	case step.Close:
		r.isClosed = true
		r.verifier.Close()
	}
	return ok && r.settle()
}

func milliseconds(count int64) time.Duration { return time.Duration(count) * time.Millisecond }

// settle waits until a poll is at the server, and sees that no question came that
// no step has named.
func (r *caseRun) settle() bool {
	if !r.isClosed && r.server.polls.peek(patience) == nil {
		r.Error("no poll came")
		return false
	}
	if unasked := r.server.questions.take(0); unasked != nil {
		r.Errorf("asks about %s", unasked.request.GetToken())
		return false
	}
	return true
}

func (r *caseRun) use(step cachingStep) bool {
	outcome := r.outcome(step)
	switch {
	case step.Result != "":
		return r.comes(outcome, step.Result)
	case step.Asks != "":
		question := r.server.questions.take(patience)
		if question == nil {
			r.Error("nothing was asked")
			return false
		}
		request := question.request
		isPlain := request.Audience == nil && len(request.GetRequiredScopes()) == 0
		isAbout := request.GetToken() == r.finished.Tokens[step.Use]
		if !isPlain || !isAbout || request.GetPresentedCertificateSha256() != r.table.Certificates[step.Certificate] {
			r.Errorf("asks otherwise: %v", request)
			return false
		}
		r.asked[step.Asks] = &askedQuestion{question, []<-chan string{outcome}}
	default:
		// Long enough to check a signature and to send a call.
		time.Sleep(20 * time.Millisecond)
		joined := r.asked[step.Joins]
		joined.waiting = append(joined.waiting, outcome)
	}
	return true
}

func (r *caseRun) answer(step cachingStep) bool {
	asked := r.asked[step.Answer]
	asksAgain := step.Asks != ""
	if asked == nil || len(asked.waiting) < len(step.Results) || !asksAgain && len(asked.waiting) > len(step.Results) {
		r.Error("another number of uses waits")
		return false
	}
	r.server.answerQuestion(asked.heldQuestion, step)
	for index, result := range step.Results {
		if !r.comes(asked.waiting[index], result) {
			return false
		}
	}
	if !asksAgain {
		return true
	}
	question := r.server.questions.take(patience)
	if question == nil || !proto.Equal(question.request, asked.request) {
		r.Error("the same was not asked again")
		return false
	}
	r.asked[step.Asks] = &askedQuestion{question, asked.waiting[len(step.Results):]}
	return true
}

func (r *caseRun) poll(step cachingStep) bool {
	poll := r.server.polls.take(patience)
	if poll == nil {
		r.Error("no poll came")
		return false
	}
	if from := originOf(poll.request); step.From != "" && from != step.From {
		r.Errorf("polls from %s", from)
		return false
	}
	r.server.answerPoll(poll, step)
	return true
}

func (r *caseRun) comes(outcome <-chan string, expected string) bool {
	select {
	case came := <-outcome:
		if came != expected {
			r.Errorf("comes out as %s", came)
		}
		return came == expected
	case <-time.After(patience):
		r.Error("does not come out")
		return false
	}
}

// outcome of a use, as the table calls it.
func (r *caseRun) outcome(step cachingStep) <-chan string {
	options := []VerifyOption{WithRequiredScopes(step.RequiredScopes...)}
	if step.Certificate != "" {
		options = append(options, WithCertificateThumbprint(r.table.Certificates[step.Certificate]))
	}
	switch string(step.Audience) {
	case "":
	case "null":
		options = append(options, WithAnyAudience())
	default:
		options = append(options, WithAudience(strings.Trim(string(step.Audience), `"`)))
	}
	outcome := make(chan string, 1)
	go func() {
		verified, err := r.verifier.Verify(context.Background(), r.finished.Tokens[step.Use], options...)
		switch {
		case err == nil:
			told, err := r.table.claimsOf(step.Use)
			if err != nil || !maps.EqualFunc(verified.Extra, told.Extra, reflect.DeepEqual) {
				outcome <- "other further claims"
				return
			}
			outcome <- "accepted"
		case errors.Is(err, ErrInvalidToken):
			outcome <- "invalid_token"
		case errors.Is(err, ErrInsufficientScope):
			outcome <- "insufficient_scope"
		case errors.Is(err, ErrVerifierClosed), status.Code(err) == codes.Unavailable:
			outcome <- "unavailable"
		default:
			outcome <- err.Error()
		}
	}()
	return outcome
}
