package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/opentracing/opentracing-go"
	"github.com/opentracing/opentracing-go/ext"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

const joinTraceMethod = "/crossdock.Crossdock/JoinTrace"

// Bytes that every caller puts into the metadata. The second key looks like baggage and is none.
var (
	rawKeys  = []string{"crossdock-bin", "uberctx-crossdock-bin"}
	rawValue = []byte{0, 1, 0xfe, 0xff}
)

// The JSON of the other transport, as messages of gRPC.
type jsonCodec struct{}

func (jsonCodec) Marshal(message any) ([]byte, error)      { return json.Marshal(message) }
func (jsonCodec) Unmarshal(text []byte, message any) error { return json.Unmarshal(text, message) }
func (jsonCodec) Name() string                             { return "json" }

// Metadata as a carrier. Its keys are in lower case, unlike those of http.Header.
type carrier metadata.MD

func (c carrier) Set(key, value string) { metadata.MD(c).Set(key, value) }

func (c carrier) ForeachKey(handle func(key, value string) error) error {
	for key, values := range c {
		for _, value := range values {
			if err := handle(key, value); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *service) serveGrpc(listener net.Listener) error {
	server := grpc.NewServer(grpc.ForceServerCodec(jsonCodec{}))
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: "crossdock.Crossdock",
		HandlerType: (*any)(nil),
		Methods:     []grpc.MethodDesc{{MethodName: "JoinTrace", Handler: joinTraceHandler}},
	}, s)
	return server.Serve(listener)
}

func joinTraceHandler(
	s any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor,
) (any, error) {
	var request joinTrace
	if err := decode(&request); err != nil {
		return nil, err
	}
	return s.(*service).joinTraceByGrpc(ctx, &request)
}

func (s *service) joinTraceByGrpc(ctx context.Context, request *joinTrace) (*answer, error) {
	received, _ := metadata.FromIncomingContext(ctx)
	for _, key := range rawKeys {
		if values := received.Get(key); len(values) != 1 || !bytes.Equal([]byte(values[0]), rawValue) {
			return nil, status.Errorf(codes.InvalidArgument, "%s: found %q", key, values)
		}
	}
	options := []opentracing.StartSpanOption{ext.SpanKindRPCServer}
	caller, err := s.tracer.Extract(opentracing.HTTPHeaders, carrier(textOf(received)))
	switch err {
	case nil:
		options = append(options, opentracing.ChildOf(caller))
	case opentracing.ErrSpanContextNotFound:
	default:
		fmt.Fprintln(os.Stderr, "a new root, because of the metadata:", err)
	}
	span := s.tracer.StartSpan("post", options...)
	defer span.Finish()
	return s.answer(span, request.Downstream)
}

// Returns the metadata without bytes, which this client would take for baggage.
func textOf(received metadata.MD) metadata.MD {
	text := metadata.MD{}
	for key, values := range received {
		if !strings.HasSuffix(key, "-bin") {
			text[key] = values
		}
	}
	return text
}

func (s *service) callByGrpc(parent opentracing.Span, next *downstream) (*answer, error) {
	connection, err := grpc.NewClient(
		net.JoinHostPort(next.Host, next.Port),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithNoProxy(),
	)
	if err != nil {
		return nil, err
	}
	defer connection.Close()
	span := s.tracer.StartSpan("post", opentracing.ChildOf(parent.Context()), ext.SpanKindRPCClient)
	defer span.Finish()
	sent := metadata.MD{}
	for _, key := range rawKeys {
		sent.Set(key, string(rawValue))
	}
	if err := s.tracer.Inject(span.Context(), opentracing.HTTPHeaders, carrier(sent)); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Second)
	defer cancel()
	request := joinTrace{ServerRole: next.ServerRole, Downstream: next.Downstream}
	var called answer
	err = connection.Invoke(
		metadata.NewOutgoingContext(ctx, sent), joinTraceMethod, &request, &called, grpc.ForceCodec(jsonCodec{}),
	)
	return &called, err
}
