package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log"
	"maps"
	"net"
	"net/http"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/propagation"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

const (
	baggageKey  = "crossdock-baggage-key"
	priority    = "sampling.priority"
	largestBody = 1 << 20
)

type request struct {
	ServerRole string      `json:"serverRole"`
	Sampled    bool        `json:"sampled"`
	Baggage    string      `json:"baggage"`
	Items      items       `json:"items,omitempty"`
	Downstream *downstream `json:"downstream"`
}

type downstream struct {
	ServiceName string      `json:"serviceName"`
	ServerRole  string      `json:"serverRole"`
	Host        string      `json:"host"`
	Port        string      `json:"port"`
	Transport   string      `json:"transport"`
	Downstream  *downstream `json:"downstream"`
}

type observed struct {
	TraceID string `json:"traceId"`
	Sampled bool   `json:"sampled"`
	Baggage string `json:"baggage"`
	Items   items  `json:"items"`
}

type items map[string]string

type answer struct {
	Span                *observed `json:"span,omitempty"`
	Downstream          *answer   `json:"downstream,omitempty"`
	NotImplementedError string    `json:"notImplementedError"`
}

// prioritySampler samples the roots that have a priority, and no others.
type prioritySampler struct{}

func (prioritySampler) ShouldSample(parameters sdk.SamplingParameters) sdk.SamplingResult {
	result := sdk.SamplingResult{Decision: sdk.Drop}
	for _, given := range parameters.Attributes {
		if given == attribute.Int(priority, 1) {
			result.Decision = sdk.RecordAndSample
		}
	}
	return result
}

func (prioritySampler) Description() string { return "PrioritySampler" }

// crossdock answers the requests. A context stands for its span and its baggage.
type crossdock struct {
	tracer     trace.Tracer
	propagator propagation.TextMapPropagator
}

func (c crossdock) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("POST /start_trace", c.handle(c.start))
	mux.HandleFunc("POST /join_trace", c.handle(c.join))
	return mux
}

func (c crossdock) handle(serve func(context.Context, *request) (*answer, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		caller := c.propagator.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
		ctx, span := c.tracer.Start(caller, "post", trace.WithSpanKind(trace.SpanKindServer))
		defer span.End()
		var body request
		err := json.NewDecoder(http.MaxBytesReader(w, r.Body, largestBody)).Decode(&body)
		var seen *answer
		if err == nil {
			seen, err = serve(ctx, &body)
		}
		if err != nil {
			log.Print(err)
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(seen); err != nil {
			log.Print(err)
		}
	}
}

func (c crossdock) start(ctx context.Context, body *request) (*answer, error) {
	options := []trace.SpanStartOption{trace.WithNewRoot()}
	if body.Sampled {
		options = append(options, trace.WithAttributes(attribute.Int(priority, 1)))
	}
	ctx, span := c.tracer.Start(ctx, body.ServerRole, options...)
	defer span.End()
	all := items{baggageKey: body.Baggage}
	maps.Copy(all, body.Items)
	var members []baggage.Member
	for key, value := range all {
		member, err := baggage.NewMemberRaw(key, value)
		if err != nil {
			return nil, err
		}
		members = append(members, member)
	}
	set, err := baggage.New(members...)
	if err != nil {
		return nil, err
	}
	return c.follow(baggage.ContextWithBaggage(ctx, set), body.Downstream)
}

func (c crossdock) join(ctx context.Context, body *request) (*answer, error) {
	return c.follow(ctx, body.Downstream)
}

// follow returns what the span of ctx and everything below it observes.
func (c crossdock) follow(ctx context.Context, next *downstream) (*answer, error) {
	span := trace.SpanContextFromContext(ctx)
	all := items{}
	for _, member := range baggage.FromContext(ctx).Members() {
		all[member.Key()] = member.Value()
	}
	seen := &answer{Span: &observed{
		TraceID: span.TraceID().String(),
		Sampled: span.IsSampled(),
		Baggage: baggage.FromContext(ctx).Member(baggageKey).Value(),
		Items:   all,
	}}
	var err error
	switch {
	case next == nil:
	case next.Transport == "HTTP":
		seen.Downstream, err = c.call(ctx, next)
	default:
		seen.Downstream = &answer{NotImplementedError: "no transport " + next.Transport}
	}
	return seen, err
}

func (c crossdock) call(ctx context.Context, next *downstream) (*answer, error) {
	ctx, span := c.tracer.Start(ctx, "post", trace.WithSpanKind(trace.SpanKindClient))
	defer span.End()
	body, err := json.Marshal(request{ServerRole: next.ServerRole, Downstream: next.Downstream})
	if err != nil {
		return nil, err
	}
	url := "http://" + net.JoinHostPort(next.Host, next.Port) + "/join_trace"
	sent, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	sent.Header.Set("Content-Type", "application/json")
	c.propagator.Inject(ctx, propagation.HeaderCarrier(sent.Header))
	response, err := http.DefaultClient.Do(sent)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answered %s", url, response.Status)
	}
	seen := new(answer)
	return seen, json.NewDecoder(response.Body).Decode(seen)
}
