// The published driver of the Go client's crossdock, at an address of one's choice.
//
// It calls every service at the port that it listens on itself, so each needs an IP address of its own.
package main

import (
	"fmt"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/uber/jaeger-client-go/crossdock/client"
)

func main() {
	flags := map[string]string{}
	for n := 1; n+1 < len(os.Args); n += 2 {
		flags[strings.TrimLeft(os.Args[n], "-")] = os.Args[n+1]
	}
	driver := client.Client{
		ClientHostPort: net.JoinHostPort(flags["host"], flags["port"]),
		ServerPortHTTP: flags["port"],
	}
	served := make(chan error, 1)
	go func() { served <- driver.Start() }()
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	select {
	case err := <-served:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	case <-stop:
	}
}
