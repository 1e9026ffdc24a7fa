package main

import (
	"context"

	qscopev1 "qscope.internal/client/gen/qscope/v1"
)

// manage reads what platform engineers read, with a bearer token.
func (t *tour) manage(ctx context.Context) error {
	ctx, cancel := t.call(ctx, "manage")
	defer cancel()
	answer, err := t.clientsOf.GetClient(ctx, &qscopev1.GetClientRequest{ClientId: t.Orders.ClientID}, t.operator)
	if err != nil {
		return err
	}
	client := answer.GetClient()
	what := told{"client_id": client.GetClientId(), "type": client.GetType().String(), "scopes": client.GetScopes()}
	if err := t.tell("get_client", what); err != nil {
		return err
	}
	_, err = t.clientsOf.GetClient(ctx, &qscopev1.GetClientRequest{ClientId: "nobody"}, t.operator)
	if err := t.tellRefusal("not_found", err); err != nil {
		return err
	}
	_, err = t.clientsOf.GetClient(ctx, &qscopev1.GetClientRequest{ClientId: t.Orders.ClientID}, t.frontEnd)
	if err := t.tellRefusal("no_permission", err); err != nil {
		return err
	}
	_, err = t.clientsOf.GetClient(ctx, &qscopev1.GetClientRequest{ClientId: t.Orders.ClientID})
	if err := t.tellRefusal("no_bearer", err); err != nil {
		return err
	}
	return t.listTokens(ctx)
}

// listTokens walks through all pages.
func (t *tour) listTokens(ctx context.Context) error {
	ids := []string{}
	pages := 0
	request := &qscopev1.ListTokensRequest{ClientId: &t.Orders.ClientID, PageSize: 2}
	for more := true; more; more = request.GetPageToken() != "" {
		page, err := t.tokens.ListTokens(ctx, request, t.operator)
		if err != nil {
			return err
		}
		pages++
		for _, token := range page.GetTokens() {
			ids = append(ids, token.GetTokenId())
		}
		request.PageToken = page.GetNextPageToken()
	}
	return t.tell("list_tokens", told{"token_ids": ids, "pages": pages})
}
