package history

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"
)

// kept are those of git's variables that tell how to reach and believe a server. All others
// (GIT_DIR, GIT_WORK_TREE, GIT_EXTERNAL_DIFF, GIT_DIFF_OPTS, GIT_CONFIG_…) change what
// commands mean, and go.
var kept = []string{
	"GIT_ASKPASS", "GIT_SSH", "GIT_SSH_COMMAND", "GIT_SSH_VARIANT", "GIT_SSL_CAINFO", "GIT_SSL_CAPATH",
	"GIT_SSL_CERT", "GIT_SSL_KEY", "GIT_SSL_NO_VERIFY", "GIT_PROXY_COMMAND",
}

// fixed are the same for every command.
var fixed = []string{
	"GIT_TERMINAL_PROMPT=0", // nobody is there to answer
	"GIT_OPTIONAL_LOCKS=0",  // reading must not write the index
	"GIT_NO_REPLACE_OBJECTS=1", "GIT_ATTR_NOSYSTEM=1",
}

// literal is for our own commands: messages are looked at, and a file may be called *.go.
var literal = []string{"LC_ALL=C", "GIT_LITERAL_PATHSPECS=1"}

// settled are settings that a configuration file must not decide; those of the clone itself
// are read, since its remote is in there.
var settled = []string{
	"safe.directory=*", // the clone belongs to another user when a pipe's container sees it
	"core.quotePath=false", "core.fsmonitor=false", "core.hooksPath=/dev/null", "core.attributesFile=/dev/null",
	"http.lowSpeedLimit=1000", "http.lowSpeedTime=60", // bytes a second, seconds: a server that went away
	"gc.auto=0", "maintenance.auto=false", "protocol.ext.allow=never", "advice.detachedHead=false",
}

// Environ is an environment for programs that call git themselves (go does, and many
// linters do): nothing in it leads git elsewhere or changes what its commands mean, and the
// clone may belong to another user. Configuration files have their effect.
func Environ(environ []string) []string {
	return append(clean(environ), "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*")
}

// clean takes out of an environment what would change the meaning of commands.
func clean(environ []string) []string {
	var all []string
	for _, pair := range environ {
		name, _, _ := strings.Cut(pair, "=")
		if !strings.HasPrefix(name, "GIT_") || slices.Contains(kept, name) {
			all = append(all, pair)
		}
	}
	return append(all, fixed...)
}

// value is a variable's value, blank when it is not set.
func value(environ []string, name string) string {
	for _, pair := range slices.Backward(environ) {
		if v, found := strings.CutPrefix(pair, name+"="); found {
			return v
		}
	}
	return ""
}

// proxyPort is where a Bitbucket step offers requests with credentials.
const proxyPort = "29418"

// proxy is the address of Bitbucket's proxy as this process sees it. A pipe is a container
// beside the step's own; it is one when it was given a place for files of its own.
func proxy(environ []string) string {
	if value(environ, "BITBUCKET_PIPELINE_UUID") == "" {
		return ""
	}
	host := "localhost"
	if value(environ, "BITBUCKET_PIPE_STORAGE_DIR") != "" || value(environ, "BITBUCKET_PIPE_SHARED_STORAGE_DIR") != "" {
		host = "host.docker.internal"
		if engine, err := url.Parse(value(environ, "DOCKER_HOST")); err == nil && engine.Hostname() != "" {
			host = engine.Hostname()
		}
	}
	return "http://" + host + ":" + proxyPort
}

// failure is a command of git that ended with an exit code.
type failure struct {
	command string
	code    int
	said    string
}

// Error is git's own reason, without its word "fatal".
func (f *failure) Error() string {
	if f.said == "" {
		return fmt.Sprintf("git %s ended with %d", f.command, f.code)
	}
	return "git " + f.command + ": " + f.said
}

// reason is the last line that explains something; progress and hints come before and after.
func reason(stderr string) string {
	said := ""
	for line := range strings.Lines(strings.ToValidUTF8(stderr, "?")) {
		line = strings.TrimSpace(line)
		for _, mark := range []string{"fatal: ", "error: "} {
			if text, found := strings.CutPrefix(line, mark); found && (said == "" || mark == "fatal: ") {
				said = text
			}
		}
	}
	if said == "" {
		said, _, _ = strings.Cut(strings.TrimSpace(stderr), "\n")
	}
	return said
}

// output runs git and returns what it printed.
func (r *Repository) output(ctx context.Context, args ...string) ([]byte, error) {
	var out bytes.Buffer
	err := r.stream(ctx, &out, args...)
	return out.Bytes(), err
}

// line runs git and returns what it printed without the end of the line.
func (r *Repository) line(ctx context.Context, args ...string) (string, error) {
	out, err := r.output(ctx, args...)
	return strings.TrimRight(string(out), "\r\n"), err
}

// stream runs git with its output going to out. Configuration of the user and the machine
// is not read.
func (r *Repository) stream(ctx context.Context, out io.Writer, args ...string) error {
	return r.run(ctx, out, []string{"GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1"}, args...)
}

// remote runs a command that talks to the server, through Bitbucket's proxy first, which
// signs in for us. Without it the clone's and the user's configuration count, because they
// may know how to sign in; they cannot change what such a command does.
func (r *Repository) remote(ctx context.Context, args ...string) ([]byte, error) {
	var first error
	if r.proxy != "" && r.origin != "" {
		var out bytes.Buffer
		if first = r.run(ctx, &out, nil, append([]string{"-c", "http." + r.origin + ".proxy=" + r.proxy}, args...)...); first == nil {
			return out.Bytes(), nil
		}
	}
	var out bytes.Buffer
	err := r.run(ctx, &out, nil, args...)
	if err != nil && first != nil {
		err = first
	}
	return out.Bytes(), err
}

// withoutFilters are options that turn off the filters which the clone's own configuration
// knows, such as LFS: their programs are not in every image, and without them git would
// refuse to compare or to check out. What they would have replaced stays as it is.
func (r *Repository) withoutFilters(ctx context.Context) []string {
	names, err := r.output(ctx, "config", "-z", "--name-only", "--get-regexp", `^filter\..*\.`)
	if err != nil {
		return nil // there are none
	}
	var options []string
	for name := range strings.SplitSeq(strings.TrimRight(string(names), "\x00"), "\x00") {
		driver := name[:strings.LastIndex(name, ".")]
		for _, setting := range []string{".process=", ".smudge=", ".clean=", ".required=false"} {
			options = append(options, "-c", driver+setting)
		}
	}
	return options
}

// word is the command itself, behind its options.
func word(args []string) string {
	for len(args) > 2 && args[0] == "-c" {
		args = args[2:]
	}
	return args[0]
}

func (r *Repository) run(ctx context.Context, out io.Writer, environ []string, args ...string) error {
	options := slices.Clone(r.options)
	for _, setting := range settled {
		options = append(options, "-c", setting)
	}
	command := exec.CommandContext(ctx, r.git, append(options, args...)...)
	command.Dir = r.Dir
	command.Env = slices.Concat(r.environ, literal, environ)
	command.Stdout = out
	var stderr bytes.Buffer
	command.Stderr = &stderr
	// git starts programs of its own (remote-https, index-pack); they end with it.
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGTERM) }
	command.WaitDelay = 5 * time.Second
	err := command.Run()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var ended *exec.ExitError
	if errors.As(err, &ended) {
		return &failure{command: word(args), code: ended.ExitCode(), said: reason(stderr.String())}
	}
	if err != nil {
		return fmt.Errorf("git %s: %w", word(args), err)
	}
	return nil
}
