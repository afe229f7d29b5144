// An OpenTelemetry Collector that prints each request it takes as a line of OTLP's JSON.
//
// Its one argument names a configuration file. The exporter `lines` has one setting: `busy`, the number
// of requests that it refuses at first because it is busy.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/provider/fileprovider"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/otelcol"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
	"go.opentelemetry.io/collector/service/telemetry/otelconftelemetry"
)

type config struct {
	Busy int `mapstructure:"busy"`
}

type lines struct {
	component.StartFunc
	component.ShutdownFunc
	mutex sync.Mutex
	busy  int
}

func (*lines) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

func (l *lines) ConsumeTraces(_ context.Context, traces ptrace.Traces) error {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if l.busy > 0 {
		l.busy--
		return errors.New("busy")
	}
	line, err := (&ptrace.JSONMarshaler{}).MarshalTraces(traces)
	if err == nil {
		_, err = fmt.Println(string(line))
	}
	return err
}

func newLines(_ context.Context, _ exporter.Settings, from component.Config) (exporter.Traces, error) {
	return &lines{busy: from.(*config).Busy}, nil
}

func factories() (otelcol.Factories, error) {
	otlp, toLines := otlpreceiver.NewFactory(), exporter.NewFactory(
		component.MustNewType("lines"),
		func() component.Config { return &config{} },
		exporter.WithTraces(newLines, component.StabilityLevelDevelopment),
	)
	return otelcol.Factories{
		Receivers: map[component.Type]receiver.Factory{otlp.Type(): otlp},
		Exporters: map[component.Type]exporter.Factory{toLines.Type(): toLines},
		Telemetry: otelconftelemetry.NewFactory(),
	}, nil
}

func main() {
	collector, err := otelcol.NewCollector(otelcol.CollectorSettings{
		BuildInfo: component.BuildInfo{Command: "otelcol", Version: "0.140.0"},
		Factories: factories,
		ConfigProviderSettings: otelcol.ConfigProviderSettings{
			ResolverSettings: confmap.ResolverSettings{
				URIs:              []string{os.Args[1]},
				ProviderFactories: []confmap.ProviderFactory{fileprovider.NewFactory()},
			},
		},
	})
	if err == nil {
		err = collector.Run(context.Background())
	}
	if err != nil {
		log.Fatal(err)
	}
}
