// Says what OpenTelemetry's own package makes of the probability sampling in a `tracestate`.
//
// Each line of standard input is a header. The answer is a line of JSON.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/sampling"
)

type verdict struct {
	// The probability that the threshold stands for.
	Probability float64 `json:"probability"`
	// The random value, which has 56 bits, in hexadecimal digits.
	RandomValue string `json:"randomValue"`
	// Whether the threshold keeps the random value.
	ShouldSample bool `json:"shouldSample"`
	// The header as the package writes it.
	Written string `json:"written"`
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	answers := bufio.NewWriter(os.Stdout)
	encoder := json.NewEncoder(answers)
	headers := bufio.NewScanner(os.Stdin)
	for headers.Scan() {
		read, err := judge(headers.Text())
		if err != nil {
			return fmt.Errorf("%q: %w", headers.Text(), err)
		}
		if err := encoder.Encode(read); err != nil {
			return err
		}
	}
	if err := headers.Err(); err != nil {
		return err
	}
	return answers.Flush()
}

func judge(header string) (*verdict, error) {
	state, err := sampling.NewW3CTraceState(header)
	if err != nil {
		return nil, err
	}
	member := state.OTelValue()
	threshold, hasThreshold := member.TValueThreshold()
	random, hasRandom := member.RValueRandomness()
	if !hasThreshold || !hasRandom {
		return nil, fmt.Errorf("a threshold: %t, a random value: %t", hasThreshold, hasRandom)
	}
	var written writer
	if err := state.Serialize(&written); err != nil {
		return nil, err
	}
	return &verdict{
		Probability:  threshold.Probability(),
		RandomValue:  random.RValue(),
		ShouldSample: threshold.ShouldSample(random),
		Written:      string(written),
	}, nil
}

type writer string

func (w *writer) WriteString(text string) (int, error) {
	*w += writer(text)
	return len(text), nil
}
