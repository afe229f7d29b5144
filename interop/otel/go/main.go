// A crossdock service over the OpenTelemetry SDK for Go.
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"go.opentelemetry.io/contrib/propagators/b3"
	"go.opentelemetry.io/contrib/propagators/jaeger"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
)

func main() {
	if err := run(flags()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// flags reads pairs of --name and value. Every service gets the same ones, and uses those that it
// needs.
func flags() map[string]string {
	flags := make(map[string]string)
	for at := 1; at+1 < len(os.Args); at += 2 {
		flags[strings.TrimPrefix(os.Args[at], "--")] = os.Args[at+1]
	}
	return flags
}

func run(flags map[string]string) error {
	var format propagation.TextMapPropagator
	switch flags["format"] {
	case "w3c":
		format = propagation.TraceContext{}
	case "b3":
		format = b3.New(b3.WithInjectEncoding(b3.B3MultipleHeader))
	case "jaeger":
		format = jaeger.Jaeger{}
	default:
		fmt.Fprintf(os.Stderr, "OpenTelemetry for Go has no format %s\n", flags["format"])
		os.Exit(3)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(flags["otlp"]+"/v1/traces"))
	if err != nil {
		return err
	}
	service := attribute.String("service.name", flags["service"])
	described, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithAttributes(service))
	if err != nil {
		return err
	}
	provider := trace.NewTracerProvider(
		trace.WithResource(described),
		trace.WithSampler(trace.ParentBased(prioritySampler{})),
		trace.WithBatcher(exporter, trace.WithBatchTimeout(100*time.Millisecond)),
	)
	crossdock := crossdock{
		tracer: provider.Tracer("crossdock"),
		// Baggage is a format of its own here, and goes along with each.
		propagator: propagation.NewCompositeTextMapPropagator(format, propagation.Baggage{}),
	}
	server := http.Server{
		Addr:    net.JoinHostPort(flags["host"], flags["port"]),
		Handler: crossdock.routes(),
	}
	ended := make(chan error, 1)
	go func() { ended <- server.ListenAndServe() }()
	select {
	case err = <-ended:
	case <-ctx.Done():
	}
	last, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return errors.Join(err, server.Close(), provider.Shutdown(last))
}
