package qscope

import (
	"strings"

	"github.com/go-jose/go-jose/v4/jwt"
	"google.golang.org/protobuf/types/known/timestamppb"

	qscopev1 "qscope.internal/client/gen/qscope/v1"
)

// claimsOf is what QScope says of a token, as a JWT would say it.
func claimsOf(told *qscopev1.TokenClaims) *AccessClaims {
	claims := &AccessClaims{
		Claims: jwt.Claims{
			Issuer: told.GetIssuer(), Subject: told.GetSubject(), ID: told.GetTokenId(), Audience: told.GetAudiences(),
			Expiry: numericDate(told.GetExpireTime()), IssuedAt: numericDate(told.GetIssueTime()),
		},
		ClientID: told.GetClientId(), Scope: strings.Join(told.GetScopes(), " "), Scopes: told.GetScopes(),
		SubjectType: SubjectClient, CertificateThumbprint: told.GetConfirmation().GetX5TS256(),
	}
	if told.GetSubjectType() == qscopev1.SubjectType_SUBJECT_TYPE_USER {
		claims.SubjectType = SubjectUser
	}
	claims.Extra = told.GetExtra().AsMap()
	for actor := told.GetActor(); actor != nil; actor = actor.GetActor() {
		claims.Actors = append(claims.Actors, actor.GetSubject())
	}
	return claims
}

func numericDate(time *timestamppb.Timestamp) *jwt.NumericDate {
	date := jwt.NumericDate(time.GetSeconds())
	return &date
}
