package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"bitbucket.org/fearless/pipes/shared/contract"
)

func TestMain(m *testing.M) { testscript.Main(m, map[string]func(){"boot": main}) }

// The stories run the program itself on a machine that is the directory
// "machine", with AWS played by an HTTP server: what is uploaded appears below
// "uploaded", user data and parameters come from files.
func TestStories(t *testing.T) {
	if os.Geteuid() == 0 && !inContainer(os.Getenv) {
		t.Skip("provisioning a directory is refused as root outside a container")
	}
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:   "testdata",
		Setup: setUp,
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"eventually": eventually,
		},
	})
}

func setUp(env *testscript.Env) error {
	aws := httptest.NewServer(&aws{dir: env.WorkDir})
	env.Defer(aws.Close)
	machine := filepath.Join(env.WorkDir, "machine")
	env.Setenv("MACHINE_ROOT", machine)
	env.Setenv("PATH", filepath.Join(env.WorkDir, "bin")+":"+env.Getenv("PATH"))
	env.Setenv("AWS_ENDPOINT_URL", aws.URL)
	env.Setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", aws.URL)
	bake, err := contract.Provisioning{
		Application: "shop", Commit: "0123abcd", Script: "deploy/provision.sh", ParametersPath: "/shop/bake", Region: "eu-central-1",
		LogURL: aws.URL + "/log?X-Amz-Signature=1", ResultURL: aws.URL + "/result?X-Amz-Signature=2",
		Deadline: time.Now().Add(time.Hour),
	}.Marshal()
	if err != nil {
		return err
	}
	// The last thing a real power switch does to boot is to end it.
	shutdown := "#!/bin/sh\necho \"$@\" >> $MACHINE_ROOT/off\nkill -TERM $PPID\n"
	for name, text := range map[string]string{
		"machine" + contract.BakeFile: string(bake), "machine" + contract.Agent: "program", "bin/shutdown": shutdown,
	} {
		file := filepath.Join(env.WorkDir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := writeProgram(file, text); err != nil {
			return err
		}
	}
	return nil
}

// writeProgram keeps the children of stories beside this one from holding the file open
// when it is run: "text file busy".
func writeProgram(file, text string) error {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	return os.WriteFile(file, []byte(text), 0o755)
}

// patience bounds every wait of these stories; it passes only when they fail.
const patience = 5 * time.Minute

// eventually waits until a file matches an expression.
func eventually(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: eventually file regexp")
	}
	want := regexp.MustCompile(args[1])
	tick, late := time.NewTicker(10*time.Millisecond), time.After(patience)
	defer tick.Stop()
	for {
		text, _ := os.ReadFile(ts.MkAbs(args[0]))
		if want.Match(text) {
			return
		}
		select {
		case <-tick.C:
		case <-late:
			ts.Fatalf("%s does not match %s: %s", args[0], args[1], text)
		}
	}
}

// aws plays metadata service, Parameter Store, bucket, and the services whose
// answers are files.
type aws struct {
	dir               string
	asking, uploading sync.Mutex
}

func (a *aws) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path == "/latest/api/token":
		w.Header().Set("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", "21600")
		_, _ = io.WriteString(w, "token")
	case r.Method == http.MethodPut:
		a.upload(w, r)
	case r.Method == http.MethodPost && r.Header.Get("X-Amz-Target") == "":
		a.query(w, r)
	case r.Method == http.MethodPost:
		a.parameters(w, r)
	default:
		a.metadata(w, r)
	}
}

func (a *aws) metadata(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/latest/meta-data/instance-id":
		_, _ = io.WriteString(w, "i-0abc")
	case "/latest/meta-data/local-ipv4":
		_, _ = io.WriteString(w, "127.0.0.1")
	case "/latest/meta-data/iam/security-credentials/":
		_, _ = io.WriteString(w, "role")
	case "/latest/meta-data/iam/security-credentials/role":
		fmt.Fprintf(w, `{"Code":"Success","AccessKeyId":"AKID","SecretAccessKey":"k","Token":"t","Expiration":%q}`,
			time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	case "/latest/user-data":
		http.ServeFile(w, r, filepath.Join(a.dir, "user-data.json"))
	case "/latest/meta-data/autoscaling/target-lifecycle-state":
		http.ServeFile(w, r, filepath.Join(a.dir, "lifecycle"))
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// upload keeps an object, which is never there by halves.
func (a *aws) upload(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	file := filepath.Join(a.dir, "uploaded", filepath.Clean(r.URL.Path))
	if err == nil {
		err = os.MkdirAll(filepath.Dir(file), 0o755)
	}
	a.uploading.Lock()
	defer a.uploading.Unlock()
	if err == nil {
		err = os.WriteFile(file+".new", body, 0o644)
	}
	if err == nil {
		err = os.Rename(file+".new", file)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

// query answers an action with the file of its name, and notes what was asked.
func (a *aws) query(w http.ResponseWriter, r *http.Request) {
	a.asking.Lock()
	defer a.asking.Unlock()
	f, err := os.OpenFile(filepath.Join(a.dir, "asked"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err == nil {
		err = errors.Join(r.ParseForm(), fprintln(f, r.PostForm.Encode()), f.Close())
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	http.ServeFile(w, r, filepath.Join(a.dir, r.PostForm.Get("Action")+".xml"))
}

func fprintln(w io.Writer, line string) error {
	_, err := fmt.Fprintln(w, line)
	return err
}

// parameters answers with the file that lists them by path.
func (a *aws) parameters(w http.ResponseWriter, r *http.Request) {
	var asked struct{ Path string }
	var all map[string][]struct{ Name, Type, Value string }
	data, err := os.ReadFile(filepath.Join(a.dir, "parameters.json"))
	if err == nil {
		err = json.Unmarshal(data, &all)
	}
	if err == nil {
		err = json.NewDecoder(r.Body).Decode(&asked)
	}
	if err == nil {
		err = json.NewEncoder(w).Encode(map[string]any{"Parameters": all[asked.Path]})
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}
