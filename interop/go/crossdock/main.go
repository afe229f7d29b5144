// A service of the crossdock over the published Go client. CROSSDOCK.md describes the protocol and the flags.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/opentracing/opentracing-go"
	"github.com/opentracing/opentracing-go/ext"
	"github.com/uber/jaeger-client-go"
	"github.com/uber/jaeger-client-go/config"
	"github.com/uber/jaeger-client-go/zipkin"
)

const (
	baggageKey  = "crossdock-baggage-key"
	lacksFormat = 3
)

type startTrace struct {
	ServerRole string      `json:"serverRole"`
	Sampled    bool        `json:"sampled"`
	Baggage    string      `json:"baggage"`
	Items      items       `json:"items"`
	Downstream *downstream `json:"downstream"`
}

type joinTrace struct {
	ServerRole string      `json:"serverRole"`
	Downstream *downstream `json:"downstream,omitempty"`
}

type downstream struct {
	ServiceName string      `json:"serviceName"`
	ServerRole  string      `json:"serverRole"`
	Host        string      `json:"host"`
	Port        string      `json:"port"`
	Transport   string      `json:"transport"`
	Downstream  *downstream `json:"downstream,omitempty"`
}

type answer struct {
	Span                *observed `json:"span,omitempty"`
	Downstream          *answer   `json:"downstream,omitempty"`
	NotImplementedError string    `json:"notImplementedError"`
}

type observed struct {
	TraceID string `json:"traceId"`
	Sampled bool   `json:"sampled"`
	Baggage string `json:"baggage"`
	Items   items  `json:"items"`
}

type items map[string]string

type service struct {
	tracer opentracing.Tracer
	client http.Client
}

func main() {
	if err := run(flags(os.Args[1:])); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// Reads pairs of a flag and its value. Unlike the package flag, it accepts unknown ones.
func flags(arguments []string) map[string]string {
	values := map[string]string{}
	for n := 0; n+1 < len(arguments); n += 2 {
		values[strings.TrimLeft(arguments[n], "-")] = arguments[n+1]
	}
	return values
}

func run(flags map[string]string) error {
	tracer, closer, err := newTracer(flags)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(flags["host"], flags["port"]))
	if err != nil {
		return err
	}
	s := &service{tracer: tracer, client: http.Client{Timeout: 8 * time.Second}}
	mux := http.NewServeMux()
	mux.HandleFunc("/{$}", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("POST /start_trace", s.inServerSpan(s.startTrace))
	mux.HandleFunc("POST /join_trace", s.inServerSpan(s.joinTrace))
	served := make(chan error, 2)
	if port := flags["grpc-port"]; port != "" {
		calls, err := net.Listen("tcp", net.JoinHostPort(flags["host"], port))
		if err != nil {
			return err
		}
		go func() { served <- s.serveGrpc(calls) }()
	}
	go func() { served <- http.Serve(listener, mux) }()
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	select {
	case err := <-served:
		return err
	case <-stop:
		return closer.Close()
	}
}

func newTracer(flags map[string]string) (opentracing.Tracer, io.Closer, error) {
	settings := config.Configuration{
		ServiceName: flags["service"],
		Sampler:     &config.SamplerConfig{Type: jaeger.SamplerTypeConst, Param: 0},
		Reporter: &config.ReporterConfig{
			LocalAgentHostPort: flags["agent-compact"],
			// Without an endpoint the spans go to the agent.
			CollectorEndpoint: flags["collector"],
		},
	}
	options := []config.Option{config.Gen128Bit(flags["trace-id-bits"] == "128")}
	switch flags["format"] {
	case "jaeger":
	case "b3":
		b3 := zipkin.NewZipkinB3HTTPHeaderPropagator()
		options = append(options,
			config.Injector(opentracing.HTTPHeaders, b3),
			config.Extractor(opentracing.HTTPHeaders, b3))
	default:
		fmt.Fprintf(os.Stderr, "jaeger-client-go has no format %q\n", flags["format"])
		os.Exit(lacksFormat)
	}
	return settings.NewTracer(options...)
}

// Calls handle with the body of the request, inside of a server span.
func (s *service) inServerSpan(
	handle func(span opentracing.Span, body []byte) (*answer, error),
) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		options := []opentracing.StartSpanOption{ext.SpanKindRPCServer}
		caller, err := s.tracer.Extract(opentracing.HTTPHeaders, opentracing.HTTPHeadersCarrier(r.Header))
		switch err {
		case nil:
			options = append(options, opentracing.ChildOf(caller))
		case opentracing.ErrSpanContextNotFound:
		default:
			fmt.Fprintln(os.Stderr, "a new root, because of the headers:", err)
		}
		span := s.tracer.StartSpan("post", options...)
		defer span.Finish()
		body, err := io.ReadAll(r.Body)
		var made *answer
		if err == nil {
			made, err = handle(span, body)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(made); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
}

func (s *service) startTrace(_ opentracing.Span, body []byte) (*answer, error) {
	var request startTrace
	if err := json.Unmarshal(body, &request); err != nil {
		return nil, err
	}
	root := s.tracer.StartSpan(request.ServerRole)
	defer root.Finish()
	if request.Sampled {
		ext.SamplingPriority.Set(root, 1)
	}
	root.SetBaggageItem(baggageKey, request.Baggage)
	for key, value := range request.Items {
		root.SetBaggageItem(key, value)
	}
	return s.answer(root, request.Downstream)
}

func (s *service) joinTrace(span opentracing.Span, body []byte) (*answer, error) {
	var request joinTrace
	if err := json.Unmarshal(body, &request); err != nil {
		return nil, err
	}
	return s.answer(span, request.Downstream)
}

// Returns what the span shows, and what the downstream answers.
func (s *service) answer(span opentracing.Span, next *downstream) (*answer, error) {
	context, ok := span.Context().(jaeger.SpanContext)
	if !ok {
		return nil, fmt.Errorf("not a context of this client: %T", span.Context())
	}
	all := items{}
	context.ForeachBaggageItem(func(key, value string) bool {
		all[key] = value
		return true
	})
	made := &answer{Span: &observed{
		TraceID: context.TraceID().String(),
		Sampled: context.IsSampled(),
		Baggage: span.BaggageItem(baggageKey),
		Items:   all,
	}}
	if next == nil {
		return made, nil
	}
	if next.Transport == "GRPC" {
		called, err := s.callByGrpc(span, next)
		made.Downstream = called
		return made, err
	}
	if next.Transport != "HTTP" {
		made.Downstream = &answer{NotImplementedError: "the transport " + next.Transport + " is not implemented"}
		return made, nil
	}
	called, err := s.call(span, next)
	made.Downstream = called
	return made, err
}

func (s *service) call(parent opentracing.Span, next *downstream) (*answer, error) {
	body, err := json.Marshal(joinTrace{ServerRole: next.ServerRole, Downstream: next.Downstream})
	if err != nil {
		return nil, err
	}
	url := "http://" + net.JoinHostPort(next.Host, next.Port) + "/join_trace"
	request, err := http.NewRequest(http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	span := s.tracer.StartSpan("post", opentracing.ChildOf(parent.Context()), ext.SpanKindRPCClient)
	defer span.Finish()
	carrier := opentracing.HTTPHeadersCarrier(request.Header)
	if err := s.tracer.Inject(span.Context(), opentracing.HTTPHeaders, carrier); err != nil {
		return nil, err
	}
	reply, err := s.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer reply.Body.Close()
	text, err := io.ReadAll(reply.Body)
	if err != nil {
		return nil, err
	}
	if reply.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s: %s", url, reply.Status, text)
	}
	var called answer
	return &called, json.Unmarshal(text, &called)
}
