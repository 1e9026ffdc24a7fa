module qscope.internal/oauth-interop

go 1.25.0

require (
	golang.org/x/oauth2 v0.36.0
	google.golang.org/grpc v1.80.0
)

require google.golang.org/protobuf v1.36.11 // indirect
