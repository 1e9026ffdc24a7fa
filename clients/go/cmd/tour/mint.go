package main

import (
	"context"
	"os"
	"sync"
	"time"

	qscope "qscope.internal/client"
	qscopev1 "qscope.internal/client/gen/qscope/v1"
)

// mint obtains tokens for the client itself.
func (t *tour) mint(ctx context.Context) error {
	if err := t.mintOnceForMany(ctx); err != nil {
		return err
	}
	if err := t.renew(ctx); err != nil {
		return err
	}
	if err := t.federate(ctx); err != nil {
		return err
	}
	return t.mintBatch(ctx)
}

// mintOnceForMany asks one source from many goroutines at once.
func (t *tour) mintOnceForMany(ctx context.Context) error {
	const callers = 50
	source := qscope.NewTokenSourceOf(func(ctx context.Context) (*qscopev1.IssuedToken, error) {
		ctx, cancel := t.call(ctx, "reuse")
		defer cancel()
		answer, err := t.tokens.MintToken(ctx, &qscopev1.MintTokenRequest{
			Client:    t.Orders.secret(),
			Scopes:    []string{"orders.read"},
			Audiences: []string{t.WarehouseAudience},
			Lifetime:  seconds(300),
		})
		return answer.GetToken(), err
	})
	got := make([]*qscopev1.IssuedToken, callers)
	failed := make([]error, callers)
	var all sync.WaitGroup
	for n := range callers {
		all.Add(1)
		go func() {
			defer all.Done()
			got[n], failed[n] = source.Token(ctx)
		}()
	}
	all.Wait()
	ids := map[string]bool{}
	for n, token := range got {
		if failed[n] != nil {
			return failed[n]
		}
		ids[token.GetTokenId()] = true
	}
	what := tokenTold(got[0])
	what["callers"], what["different_tokens"] = callers, len(ids)
	return t.tell("reuse", what)
}

// renew uses a source for longer than its first token lives.
func (t *tour) renew(ctx context.Context) error {
	source := qscope.NewTokenSource(t.tokens, &qscopev1.MintTokenRequest{Client: t.Orders.secret(), Lifetime: seconds(2)})
	first, err := source.Token(ctx)
	if err != nil {
		return err
	}
	time.Sleep(2 * time.Second)
	second, err := source.Token(ctx)
	if err != nil {
		return err
	}
	return t.tell("renewal", told{"token_ids": []string{first.GetTokenId(), second.GetTokenId()}})
}

// federate uses a source for longer than its first token lives, while the platform replaces its own.
func (t *tour) federate(ctx context.Context) error {
	source := qscope.NewFederatedTokenSource(t.tokens, t.Workload.ClientID, t.Workload.AssertionFile,
		&qscopev1.MintTokenRequest{Lifetime: seconds(2)})
	first, err := source.Token(ctx)
	if err != nil {
		return err
	}
	if err := os.WriteFile(t.Workload.AssertionFile, []byte(t.Workload.NextAssertion+"\n"), 0o600); err != nil {
		return err
	}
	time.Sleep(2 * time.Second)
	second, err := source.Token(ctx)
	if err != nil {
		return err
	}
	return t.tell("federated_renewal", told{"token_ids": []string{first.GetTokenId(), second.GetTokenId()}})
}

// mintBatch asks for several tokens, one of which the client may not have.
func (t *tour) mintBatch(ctx context.Context) error {
	ctx, cancel := t.call(ctx, "batch_mint")
	defer cancel()
	answer, err := t.tokens.BatchMintTokens(ctx, &qscopev1.BatchMintTokensRequest{
		Client: t.Orders.secret(),
		Requests: []*qscopev1.BatchMintTokensItem{
			{Scopes: []string{"orders.read"}},
			{Scopes: []string{"orders.burn"}},
			{Scopes: []string{"orders.write"}},
		},
	})
	if err != nil {
		return err
	}
	var results []told
	for _, result := range answer.GetResults() {
		switch result := result.GetResult().(type) {
		case *qscopev1.BatchMintTokensResult_Token:
			results = append(results, tokenTold(result.Token))
		case *qscopev1.BatchMintTokensResult_Status:
			results = append(results, refusalTold(qscope.RefusalOfStatus(result.Status)))
		}
	}
	return t.tell("batch_mint", told{"results": results})
}

// mintFor obtains a token for a later step.
func (t *tour) mintFor(ctx context.Context, request *qscopev1.MintTokenRequest) (string, error) {
	ctx, cancel := t.call(ctx, "mint")
	defer cancel()
	answer, err := t.tokens.MintToken(ctx, request)
	return answer.GetToken().GetAccessToken(), err
}
