// Command watch is an event socket application: it logs every call of a switch,
// and takes a call over when its caller presses a key.
//
//	go run ./docs/examples/watch -password SECRET
//	go run ./docs/examples/watch -password SECRET -key 9 -to 1001
//
// The password is what "switchlet secret" prints as event_socket_password. It works
// with FreeSWITCH too.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"

	"github.com/switchlet/switchlet/esl"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8021", "`HOST:PORT` of the event socket")
	password := flag.String("password", os.Getenv("ESL_PASSWORD"), "password of the event socket ($ESL_PASSWORD)")
	key := flag.String("key", "*", "the `DIGIT` that asks to be taken over")
	to := flag.String("to", "9664", "the `NUMBER` that a taken call goes to")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := watch(ctx, *addr, *password, *key, *to); err != nil {
		fmt.Fprintln(os.Stderr, "watch:", err)
		os.Exit(1)
	}
}

// watch logs calls until ctx ends or the switch goes away.
func watch(ctx context.Context, addr, password, key, to string) error {
	c, err := esl.Dial(ctx, addr, password)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.Subscribe(ctx, "CHANNEL_CREATE", "CHANNEL_ANSWER", "CHANNEL_BRIDGE", "DTMF", "CHANNEL_HANGUP_COMPLETE"); err != nil {
		return err
	}
	fmt.Println("watching", addr)
	for {
		select {
		case e := <-c.Events():
			log(e)
			if e.Name() == "DTMF" && e.Get("DTMF-Digit") == key {
				if err := take(ctx, c, e.UUID(), to); err != nil {
					return err
				}
			}
		case <-c.Done():
			return c.Err()
		case <-ctx.Done():
			return nil
		}
	}
}

// log prints what an event says of its call.
func log(e *esl.Event) {
	what := map[string]string{
		"CHANNEL_CREATE":          "begins",
		"CHANNEL_ANSWER":          "is answered",
		"CHANNEL_BRIDGE":          "is connected with " + e.Get("Other-Leg-Destination-Number"),
		"DTMF":                    "pressed " + e.Get("DTMF-Digit"),
		"CHANNEL_HANGUP_COMPLETE": "ended: " + e.Get("Hangup-Cause") + " after " + e.Variable("billsec") + " s",
	}[e.Name()]
	fmt.Println(time.Now().Format(time.TimeOnly), e.UUID(), e.Get("Caller-Caller-ID-Number"), "to", e.Get("Caller-Destination-Number"), what)
}

// take sends a call elsewhere. That it has ended meanwhile is no error.
func take(ctx context.Context, c *esl.Conn, uuid, to string) error {
	reply, err := c.API(ctx, fmt.Sprintf("uuid_transfer %s %s XML default", uuid, to))
	var refused *esl.ReplyError
	if errors.As(err, &refused) {
		reply, err = refused.Error(), nil
	}
	if err == nil {
		fmt.Println(time.Now().Format(time.TimeOnly), uuid, "taken over to", to, reply)
	}
	return err
}
