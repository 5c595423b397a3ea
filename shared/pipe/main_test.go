package pipe_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/outputs"
	"bitbucket.org/fearless/pipes/shared/pipe"
)

// TestMain lets the test binary be a pipe, for the tests that need a process
// of its own to send signals to.
func TestMain(m *testing.M) {
	if os.Getenv("BE_A_PIPE") != "" {
		os.Exit(sample.Main(pipe.OS()))
	}
	os.Exit(m.Run())
}

// sampleSettings are those of a pipe that does what MODE says.
type sampleSettings struct {
	pipe.Settings
	Mode  string `envconfig:"MODE" default:"pass"`
	Token string `envconfig:"TOKEN" secret:"true"`
	Count int    `envconfig:"COUNT"`
}

type sampleResult struct {
	Image string `json:"image"`
}

func (r *sampleResult) Summary() string { return "baked " + r.Image }
func (r *sampleResult) Outputs() []outputs.Variable {
	return []outputs.Variable{{Name: "IMAGE_ID", Value: r.Image}}
}

var sample = pipe.Pipe[sampleSettings]{Name: "sample", Run: run}

// run registers something to undo, says so, and goes on as it was told.
func run(ctx context.Context, rt *pipe.Runtime, s sampleSettings) (pipe.Result, error) {
	rt.Undo.OnFailure("image", func(ctx context.Context) error { return ctx.Err() })
	rt.Undo.Defer("instance", func(ctx context.Context) error {
		switch s.Mode {
		case "undo fails", "refuse, undo fails":
			return exit.Unablef("it is locked").Hint("unlock it")
		case "wait, slow undo":
			fmt.Fprintln(rt.World.Out, "undoing slowly")
			select { // until the test has seen what it came for
			case <-ctx.Done():
			case <-endOfInput():
			}
		}
		return ctx.Err()
	})
	rt.Console.Info("working on %s", s.Token)
	result := &sampleResult{Image: "ami-1"}
	switch s.Mode {
	case "pass", "undo fails":
		return result, nil
	case "refuse", "refuse, undo fails":
		return result, exit.Refusedf("3 findings").Hint("fix them")
	case "invalid":
		return nil, exit.Invalidf("Procfile: no web process")
	case "unable":
		return nil, fmt.Errorf("bake: %w", errors.New("AWS says no"))
	case "typed nil":
		return (*sampleResult)(nil), exit.Refusedf("no")
	case "passed error":
		return nil, &exit.Error{Code: exit.Passed, Err: errors.New("contradiction")}
	case "panic":
		panic("out of ideas")
	case "finish in spite of it":
		<-ctx.Done()
		return result, nil
	}
	<-ctx.Done()
	return nil, fmt.Errorf("waiting for the image: %w", context.Cause(ctx))
}

// endOfInput is closed when the test closes the pipe's standard input.
func endOfInput() <-chan struct{} {
	done := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(done)
	}()
	return done
}

var colours = regexp.MustCompile("\x1b\\[[0-9;]*m")

// play runs the sample in this process and returns code, plain log and clone.
func play(t *testing.T, environ ...string) (int, string, string) {
	t.Helper()
	clone := t.TempDir()
	var log bytes.Buffer
	code := sample.Main(pipe.World{Out: &log, Dir: clone, Version: "1.4.0", Environ: append([]string{
		"BITBUCKET_CLONE_DIR=" + clone, "BITBUCKET_PIPELINE_UUID={p}", "BITBUCKET_REPO_FULL_NAME=acme/shop",
		"BITBUCKET_COMMIT=0123456789abcdef0123456789abcdef01234567", "BITBUCKET_BUILD_NUMBER=12",
	}, environ...)})
	return code, colours.ReplaceAllString(log.String(), ""), clone
}

// checkLog compares a log line by line; a time at its end is not looked at.
func checkLog(t *testing.T, log string, want ...string) {
	t.Helper()
	times := regexp.MustCompile(`after (\d+ ms|\d+\.\d s|\d+m \d\ds)\n$`)
	if !times.MatchString(log) {
		t.Errorf("the last line does not say how long it took: %q", log)
	}
	log = times.ReplaceAllString(log, "after TIME\n")
	if got, want := log, strings.Join(want, "\n")+"\n"; got != want {
		t.Errorf("log:\n%s\nwant:\n%s", got, want)
	}
}

const first = "INFO: sample 1.4.0 for acme/shop at 0123456789ab, pipeline 12"

func TestEndings(t *testing.T) {
	t.Parallel()
	for mode, c := range map[string]struct {
		code exit.Code
		log  []string
	}{
		"pass": {exit.Passed, []string{
			"INFO: cleaning up: instance", "INFO: baked ami-1",
			"INFO: outputs are in .fearless/outputs.env, .fearless/sample.json", "✔ sample passed after TIME",
		}},
		"refuse": {exit.Refused, []string{
			"INFO: cleaning up: instance", "INFO: cleaning up: image", "INFO: baked ami-1",
			"INFO: outputs are in .fearless/outputs.env, .fearless/sample.json",
			"✖ 3 findings", "  fix them", "✖ sample refused after TIME",
		}},
		"invalid": {exit.Invalid, []string{
			"INFO: cleaning up: instance", "INFO: cleaning up: image",
			"✖ Procfile: no web process", "✖ sample failed after TIME",
		}},
		"unable": {exit.Unable, []string{
			"INFO: cleaning up: instance", "INFO: cleaning up: image",
			"✖ bake: AWS says no", "✖ sample failed after TIME",
		}},
		"typed nil": {exit.Refused, []string{
			"INFO: cleaning up: instance", "INFO: cleaning up: image", "✖ no", "✖ sample refused after TIME",
		}},
		"passed error": {exit.Unable, []string{
			"INFO: cleaning up: instance", "INFO: cleaning up: image", "✖ contradiction", "✖ sample failed after TIME",
		}},
		"undo fails": {exit.Unable, []string{
			"✖ cleaning up: instance: it is locked", "  unlock it", "INFO: baked ami-1",
			"INFO: outputs are in .fearless/outputs.env, .fearless/sample.json", "✖ sample failed after TIME",
		}},
		"refuse, undo fails": {exit.Refused, []string{
			"✖ cleaning up: instance: it is locked", "  unlock it", "INFO: cleaning up: image", "INFO: baked ami-1",
			"INFO: outputs are in .fearless/outputs.env, .fearless/sample.json",
			"✖ 3 findings", "  fix them", "✖ sample refused after TIME",
		}},
	} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			code, log, _ := play(t, "MODE="+mode, "TOKEN=hunter22")
			if code != int(c.code) {
				t.Errorf("exit code %d, want %d", code, c.code)
			}
			checkLog(t, log, append([]string{first, "INFO: working on ***"}, c.log...)...)
		})
	}
}

func TestOutputsAreWritten(t *testing.T) {
	t.Parallel()
	_, _, clone := play(t, "MODE=pass")
	vars, reason, err := outputs.Read(clone, "{p}")
	if err != nil || reason != "" || vars["IMAGE_ID"] != "ami-1" || vars[outputs.Summary] != "baked ami-1" {
		t.Errorf("read %v, %q, %v", vars, reason, err)
	}
	text, err := os.ReadFile(filepath.Join(clone, ".fearless", "sample.json"))
	if err != nil || !strings.Contains(string(text), `"image": "ami-1"`) {
		t.Errorf("%s, %v", text, err)
	}
	code, log, _ := play(t, "MODE=pass", "BITBUCKET_CLONE_DIR="+filepath.Join(clone, "missing"))
	if code != int(exit.Unable) || !strings.Contains(log, "✖ writing the outputs: the clone: ") {
		t.Errorf("outputs cannot be written: %d, %s", code, log)
	}
}

func TestPlace(t *testing.T) {
	t.Parallel()
	rt := &pipe.Runtime{World: pipe.World{Dir: "/started"}}
	if got := rt.CloneDir(); got != "/started" {
		t.Errorf("without Bitbucket: %q", got)
	}
	if got := rt.Settings.PipelineURL(); got != "" {
		t.Errorf("without Bitbucket: %q", got)
	}
	rt.Settings = pipe.Settings{CloneDir: "/clone", RepoFullName: "acme/shop", BuildNumber: 12}
	if got := rt.CloneDir(); got != "/clone" {
		t.Errorf("in a step: %q", got)
	}
	if got := rt.Settings.PipelineURL(); got != "https://bitbucket.org/acme/shop/pipelines/results/12" {
		t.Errorf("in a step: %q", got)
	}
}

func TestSettingsProblems(t *testing.T) {
	t.Parallel()
	code, log, clone := play(t, "TIMEOUT=30", "COUNT=many", "TOKNE=hunter22")
	if code != int(exit.Invalid) {
		t.Errorf("exit code %d", code)
	}
	for _, want := range []string{first, "✖ 3 problems with the settings:", `TIMEOUT: "30" has no unit`, `COUNT: "many"`, "TOKNE: unknown", "✖ sample failed after"} {
		if !strings.Contains(log, want) {
			t.Errorf("%q is missing in:\n%s", want, log)
		}
	}
	if strings.Contains(log, "working on") {
		t.Error("it ran all the same")
	}
	if left, err := os.ReadDir(clone); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	for _, timeout := range []string{"0s", "10ms"} {
		if code, log, _ := play(t, "TIMEOUT="+timeout); code != int(exit.Invalid) || !strings.Contains(log, "too short") {
			t.Errorf("TIMEOUT=%s: %d, %s", timeout, code, log)
		}
	}
}

func TestForgottenSettings(t *testing.T) {
	t.Parallel()
	type forgetful struct {
		Mode string `envconfig:"MODE"`
	}
	p := pipe.Pipe[forgetful]{Name: "forgetful", Run: func(context.Context, *pipe.Runtime, forgetful) (pipe.Result, error) {
		t.Error("it ran")
		return nil, nil
	}}
	var log bytes.Buffer
	if code := p.Main(pipe.World{Out: &log}); code != int(exit.Unable) || !strings.Contains(log.String(), "do not embed pipe.Settings") {
		t.Errorf("%d, %s", code, log.String())
	}
}

func TestPanic(t *testing.T) {
	t.Parallel()
	code, log, _ := play(t, "MODE=panic")
	if code != int(exit.Unable) {
		t.Errorf("exit code %d", code)
	}
	for _, want := range []string{"main_test.go:", "INFO: cleaning up: instance\nINFO: cleaning up: image\n", "✖ this is a bug in sample: panic: out of ideas\n", "✖ sample failed after"} {
		if !strings.Contains(log, want) {
			t.Errorf("%q is missing in:\n%s", want, log)
		}
	}
}

func TestTokensAreMasked(t *testing.T) {
	t.Parallel()
	clone := t.TempDir()
	var log bytes.Buffer
	p := pipe.Pipe[sampleSettings]{Name: "sample", Run: func(_ context.Context, rt *pipe.Runtime, _ sampleSettings) (pipe.Result, error) {
		rt.Console.Output("env", strings.Join(rt.World.Environ, "\n"))
		return nil, nil
	}}
	code := p.Main(pipe.World{Out: &log, Dir: clone, Environ: []string{
		"TOKEN=hunter22", "PIPELINES_JWT_TOKEN=jwt-of-the-pipeline", "BITBUCKET_STEP_OIDC_TOKEN=jwt-of-the-step", "AWS_SECRET_ACCESS_KEY=key-of-aws",
	}})
	if code != 0 || strings.Contains(log.String(), "jwt-") || strings.Contains(log.String(), "key-of") || strings.Contains(log.String(), "hunter") {
		t.Errorf("%d: %s", code, log.String())
	}
}

// TestTimeout runs on simulated time: the deadline counts from the start.
func TestTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		code, log, _ := play(t, "MODE=wait", "TIMEOUT=5m")
		if took := time.Since(start); took != 5*time.Minute {
			t.Errorf("ended after %v", took)
		}
		if code != int(exit.Unable) {
			t.Errorf("exit code %d", code)
		}
		for _, want := range []string{
			"WARNING: TIMEOUT of 5m is over: stopping, then cleaning up\n", "INFO: cleaning up: instance\nINFO: cleaning up: image\n",
			"✖ waiting for the image: timed out: TIMEOUT is 5m\n", "✖ sample timed out after 5m 00s\n",
		} {
			if !strings.Contains(log, want) {
				t.Errorf("%q is missing in:\n%s", want, log)
			}
		}
	})
}

func TestInterruptChannel(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"wait", "finish in spite of it"} {
		synctest.Test(t, func(t *testing.T) {
			interrupt := make(chan struct{})
			var log bytes.Buffer
			ended := make(chan int)
			go func() {
				ended <- sample.Main(pipe.World{Out: &log, Dir: t.TempDir(), Interrupt: interrupt, Environ: []string{"MODE=" + mode}})
			}()
			<-time.After(time.Minute) // simulated
			close(interrupt)
			code := <-ended
			text := colours.ReplaceAllString(log.String(), "")
			if !strings.Contains(text, "WARNING: interrupt: stopping, then cleaning up\n") {
				t.Errorf("%s: log\n%s", mode, text)
			}
			if mode == "wait" && (code != int(exit.Interrupted) || !strings.HasSuffix(text, "✖ sample interrupted after 1m 00s\n")) {
				t.Errorf("%s: %d\n%s", mode, code, text)
			}
			// Who has done the work in time has passed.
			if mode != "wait" && (code != int(exit.Passed) || !strings.HasSuffix(text, "✔ sample passed after 1m 00s\n")) {
				t.Errorf("%s: %d\n%s", mode, code, text)
			}
		})
	}
}

// child starts the test binary as a pipe of its own.
func child(t *testing.T, mode string) (*exec.Cmd, io.WriteCloser, *bufio.Scanner) {
	t.Helper()
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), executable)
	command.Env = []string{"BE_A_PIPE=1", "MODE=" + mode, "BITBUCKET_CLONE_DIR=" + t.TempDir()}
	command.Dir = t.TempDir()
	in, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	return command, in, bufio.NewScanner(out)
}

// until reads lines up to one with the text.
func until(t *testing.T, lines *bufio.Scanner, text string) {
	t.Helper()
	var read []string
	for lines.Scan() {
		read = append(read, lines.Text())
		if strings.Contains(lines.Text(), text) {
			return
		}
	}
	t.Fatalf("%q does not come; read:\n%s", text, strings.Join(read, "\n"))
}

func TestSignals(t *testing.T) {
	t.Parallel()
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		command, in, lines := child(t, "wait, slow undo")
		until(t, lines, "working on")
		if err := command.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		until(t, lines, signal.String()+": stopping, then cleaning up")
		until(t, lines, "undoing slowly")
		for range 2 {
			if err := command.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			until(t, lines, "terminated: cleaning up, please wait")
		}
		if err := in.Close(); err != nil {
			t.Fatal(err)
		}
		until(t, lines, "cleaning up: instance")
		until(t, lines, "cleaning up: image")
		until(t, lines, "waiting for the image: interrupted: "+signal.String())
		until(t, lines, "sample interrupted after")
		var ended *exec.ExitError
		if err := command.Wait(); !errors.As(err, &ended) || ended.ExitCode() != int(exit.Interrupted) {
			t.Errorf("%v: ended with %v", signal, err)
		}
	}
}

// TestLogReaderGone closes the reader of the log: the pipe cleans up and ends
// with its code, instead of dying of SIGPIPE.
func TestLogReaderGone(t *testing.T) {
	t.Parallel()
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), executable)
	command.Env = []string{"BE_A_PIPE=1", "MODE=refuse", "BITBUCKET_CLONE_DIR=" + t.TempDir()}
	command.Stdout = write
	if err := read.Close(); err != nil {
		t.Fatal(err)
	}
	var ended *exec.ExitError
	if err := command.Run(); !errors.As(err, &ended) || ended.ExitCode() != int(exit.Refused) {
		t.Errorf("ended with %v", err)
	}
	if err := write.Close(); err != nil {
		t.Fatal(err)
	}
}
