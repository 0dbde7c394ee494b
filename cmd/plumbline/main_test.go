package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/segmentio/kafka-go"

	"github.com/plumbline-slo/plumbline/storage/engine"
	"github.com/plumbline-slo/plumbline/testenv"
	"github.com/plumbline-slo/plumbline/testenv/address"
)

func TestMain(m *testing.M) {
	engine.RunChildIfRequested()
	testenv.QuickEnds()
	testscript.Main(m, map[string]func(){"plumbline": main})
}

// patience bounds every wait of a script.
const patience = 5 * time.Minute

// A script sees the repository's examples, the engine library and two free
// addresses, WEB and KAFKA, for a service of its own.
func TestScripts(t *testing.T) {
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	library, missing := engine.FindLibrary("", "")
	if missing != nil && os.Getenv("CI") != "" {
		t.Fatal(missing)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("EXAMPLES", here+"/../../examples")
			env.Setenv("ROOT", here+"/../..")
			env.Setenv(engine.LibraryEnv, library)
			env.Setenv("GORACE", os.Getenv("GORACE"))
			env.Setenv("NOW", time.Now().UTC().Format(time.RFC3339))
			env.Setenv("EARLIER", time.Now().Add(-3*time.Hour).UTC().Format(time.RFC3339))
			for _, name := range []string{"WEB", "KAFKA"} {
				reserved, err := address.Reserve()
				if err != nil {
					return err
				}
				env.Defer(func() { _ = reserved.Release() }) // the script is over
				env.Setenv(name, reserved.Addr)
			}
			return nil
		},
		Condition: func(name string) (bool, error) {
			if name != "engine" {
				return false, fmt.Errorf("unknown condition %q", name)
			}
			return missing == nil, nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"ready": waitReady, "until": until, "produce": produce, "expand": expand, "status": status, "secure": secure,
		},
	})
}

// poll asks until ok says that it holds, or ends the script with the last
// answer.
func poll(ts *testscript.TestScript, what string, ok func() (done bool, answer string)) {
	deadline := time.After(patience)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		done, answer := ok()
		if done {
			return
		}
		select {
		case <-deadline:
			ts.Fatalf("%s: not after %s; last answer: %s", what, patience, answer)
		case <-tick.C:
		}
	}
}

// waitReady is `ready`: it returns when the service at $WEB is ready.
func waitReady(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: ready")
	}
	poll(ts, "ready", func() (bool, string) {
		resp, err := http.Get("http://" + ts.Getenv("WEB") + "/-/ready")
		if err != nil {
			return false, err.Error()
		}
		defer resp.Body.Close()
		return resp.StatusCode == http.StatusOK, resp.Status
	})
}

// until is `until REGEXP COMMAND...`: it runs the command again and again until
// a line of its output matches.
func until(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: until REGEXP COMMAND [ARG...]")
	}
	want, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	poll(ts, strings.Join(args, " "), func() (bool, string) {
		err := ts.Exec(args[1], args[2:]...)
		out := ts.ReadFile("stdout")
		return err == nil && want.MatchString(out), fmt.Sprintf("%s%s %v", out, ts.ReadFile("stderr"), err)
	})
}

// produce is `produce TOPIC FILE`: it sends each line of the file as an event,
// with variables expanded, to the Kafka at $KAFKA.
func produce(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: produce TOPIC FILE")
	}
	w := &kafka.Writer{Addr: kafka.TCP(ts.Getenv("KAFKA")), Topic: args[0], WriteTimeout: patience, RequiredAcks: kafka.RequireAll, BatchTimeout: time.Millisecond, Transport: transport(ts)}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for line := range strings.Lines(ts.ReadFile(args[1])) {
		ts.Check(w.WriteMessages(ctx, kafka.Message{Value: []byte(os.Expand(strings.TrimSpace(line), ts.Getenv))}))
	}
	ts.Check(w.Close())
}

// expand is `expand FILE`: it replaces variables in the file.
func expand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: expand FILE")
	}
	text := os.Expand(ts.ReadFile(args[0]), ts.Getenv)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600))
}

// status is `status CODE COMMAND...`: it expects the command to end with the
// exit status.
func status(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status CODE COMMAND [ARG...]")
	}
	code := "0"
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		code = strings.TrimPrefix(err.Error(), "exit status ")
	}
	if code != args[0] {
		ts.Fatalf("%s ended with %s, want %s", strings.Join(args[1:], " "), code, args[0])
	}
}
