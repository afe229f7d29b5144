// A NATS server with JetStream on a free port of loopback. It prints its port, and ends when its standard input does.
package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

func main() {
	if len(os.Args) != 2 {
		fail("expected a folder for the streams")
	}
	nats, err := server.NewServer(&server.Options{
		Host:      "127.0.0.1",
		Port:      server.RANDOM_PORT,
		JetStream: true,
		StoreDir:  os.Args[1],
		NoSigs:    true,
		NoLog:     true,
	})
	if err != nil {
		fail(err.Error())
	}
	go nats.Start()
	if !nats.ReadyForConnections(30 * time.Second) {
		fail("not ready after 30 s")
	}
	fmt.Println(nats.Addr().(*net.TCPAddr).Port)
	io.Copy(io.Discard, os.Stdin)
	nats.Shutdown()
	nats.WaitForShutdown()
}

func fail(why string) {
	fmt.Fprintln(os.Stderr, "nats:", why)
	os.Exit(1)
}
