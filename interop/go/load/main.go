// A program under load, traced by the published Go client with its default settings.
//
// It makes spans at an even rate, or all at once, closes the tracer and prints one line of JSON:
// how many spans it made, and the counts of the client's own metrics.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/opentracing/opentracing-go"
	"github.com/opentracing/opentracing-go/ext"
	"github.com/opentracing/opentracing-go/log"
	"github.com/uber/jaeger-client-go/config"
	"github.com/uber/jaeger-lib/metrics/metricstest"
)

type load struct {
	service string
	agent   string
	rate    uint64
	spans   uint64
	bytes   int
	threads uint64
	queue   int
}

type report struct {
	Finished uint64           `json:"finished"`
	Sent     int64            `json:"sent"`
	Dropped  map[string]int64 `json:"dropped"`
	Queued   uint64           `json:"queued"`
	Seconds  float64          `json:"seconds"`
}

func main() {
	var l load
	flag.StringVar(&l.service, "service", "load", "name of the service")
	flag.StringVar(&l.agent, "agent", "127.0.0.1:6831", "host:port of the agent")
	flag.Uint64Var(&l.rate, "rate", 0, "spans a second, 0 for one burst")
	flag.Uint64Var(&l.spans, "spans", 1000, "how many spans")
	seconds := flag.Uint64("seconds", 0, "for how long, in place of -spans")
	flag.IntVar(&l.bytes, "bytes", 600, "size of a span on the wire, 200 or 600")
	flag.Uint64Var(&l.threads, "threads", 1, "goroutines that make spans")
	flag.IntVar(&l.queue, "queue", 0, "size of the client's queue, 0 for its default")
	flag.Parse()
	if *seconds > 0 {
		l.spans = l.rate * *seconds
	}
	made, err := l.run()
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(made)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func (l *load) run() (*report, error) {
	if l.bytes != 200 && l.bytes != 600 {
		return nil, fmt.Errorf("-bytes: expected 200 or 600, found %d", l.bytes)
	}
	counts := metricstest.NewFactory(0)
	tracer, closer, err := l.tracer(counts)
	if err != nil {
		return nil, err
	}
	started := time.Now()
	var threads sync.WaitGroup
	for n := uint64(0); n < l.threads; n++ {
		// The first threads make the remainder of the division.
		share := l.spans / l.threads
		if n < l.spans%l.threads {
			share++
		}
		threads.Add(1)
		go func() {
			defer threads.Done()
			l.produce(tracer, started, share)
		}()
	}
	threads.Wait()
	took := time.Since(started)
	if err := closer.Close(); err != nil {
		return nil, err
	}
	counted, _ := counts.Snapshot()
	spans := func(result string) int64 {
		return counted["jaeger.tracer.reporter_spans|result="+result]
	}
	dropped := map[string]int64{}
	if n := spans("err"); n > 0 {
		dropped["send_failed"] = n
	}
	if n := spans("dropped"); n > 0 {
		dropped["queue_full"] = n
	}
	return &report{
		Finished: l.spans,
		Sent:     spans("ok"),
		Dropped:  dropped,
		Seconds:  took.Seconds(),
	}, nil
}

func (l *load) tracer(counts *metricstest.Factory) (opentracing.Tracer, io.Closer, error) {
	settings := config.Configuration{
		ServiceName: l.service,
		Sampler:     &config.SamplerConfig{Type: "const", Param: 1},
		Reporter:    &config.ReporterConfig{LocalAgentHostPort: l.agent, QueueSize: l.queue},
	}
	return settings.NewTracer(config.Metrics(counts))
}

// Makes all spans that are due, looking at the clock every millisecond. So the rate is even and reached,
// no matter how long a span takes.
func (l *load) produce(tracer opentracing.Tracer, started time.Time, share uint64) {
	for made := uint64(0); made < share; {
		due := share
		if l.rate > 0 {
			rate := float64(l.rate) / float64(l.threads)
			due = min(share, uint64(time.Since(started).Seconds()*rate)+1)
		}
		for ; made < due; made++ {
			if l.bytes == 600 {
				request(tracer)
			} else {
				step(tracer)
			}
		}
		if made < share {
			time.Sleep(time.Millisecond)
		}
	}
}

// About 200 bytes on the wire: a step within a program.
func step(tracer opentracing.Tracer) {
	span := tracer.StartSpan("render_invoice")
	span.SetTag("component", "invoices")
	span.SetTag("template", "monthly-statement.de.html")
	span.SetTag("customer", "c-7f3a9b2e4d")
	span.Finish()
}

// About 600 bytes on the wire: a request as middleware writes it.
func request(tracer opentracing.Tracer) {
	span := tracer.StartSpan("GET /orders/{customer}/items", ext.SpanKindRPCServer)
	span.SetTag("component", "axum")
	span.SetTag("http.method", "GET")
	span.SetTag("http.url", "http://shop.example.com:8080/orders/7f3a9b2e4d/items?page=&sort=&expand=")
	span.SetTag("http.request.header.user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0")
	span.SetTag("http.request.header.x-request-id", "0b9d0d5e-6c0f-4b7e-9a55-3f1f0a6a1d42")
	span.SetTag("peer.ipv4", "203.0.113.57")
	span.SetTag("peer.port", 51734)
	span.LogFields(log.String("event", "cache_miss"), log.String("key", "orders/7f3a9b2e4d"))
	span.SetTag("http.status_code", 200)
	span.SetTag("http.response_size", 18234)
	span.Finish()
}
