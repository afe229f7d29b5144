// Says which traces the probabilistic sampler of the published Go client keeps.
//
// The arguments are probabilities. Standard input holds the lower halves of trace ids, eight bytes each, the highest
// first. The answer is one line for each probability, with a 1 or a 0 for each id.
package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/uber/jaeger-client-go"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	ids, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	if len(ids)%8 != 0 {
		return fmt.Errorf("%d bytes are no ids", len(ids))
	}
	answers := bufio.NewWriter(os.Stdout)
	for _, text := range os.Args[1:] {
		probability, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return err
		}
		sampler, err := jaeger.NewProbabilisticSampler(probability)
		if err != nil {
			return err
		}
		for at := 0; at < len(ids); at += 8 {
			id := jaeger.TraceID{Low: binary.BigEndian.Uint64(ids[at:])}
			answer := byte('0')
			if sampled, _ := sampler.IsSampled(id, "op"); sampled {
				answer = '1'
			}
			if err := answers.WriteByte(answer); err != nil {
				return err
			}
		}
		if err := answers.WriteByte('\n'); err != nil {
			return err
		}
	}
	return answers.Flush()
}
