package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// cli runs the AWS CLI against a program.
type cli struct {
	t    *testing.T
	path string
	home string
	env  []string
}

func newCLI(t *testing.T, p *program) *cli {
	t.Helper()
	path, err := exec.LookPath("aws")
	if err != nil {
		t.Skip("there is no AWS CLI (aws) on PATH")
	}
	c := &cli{t: t, path: path, home: t.TempDir()}
	// Only what the program exports, and no configuration of this computer's.
	c.env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + c.home, "AWS_PAGER=", "AWS_MAX_ATTEMPTS=1",
		"AWS_CONFIG_FILE=" + c.home + "/none", "AWS_SHARED_CREDENTIALS_FILE=" + c.home + "/none",
	}
	for name, value := range p.env {
		c.env = append(c.env, name+"="+value)
	}
	return c
}

func (c *cli) try(args ...string) (string, error) {
	command := exec.CommandContext(c.t.Context(), c.path, args...)
	command.Env, command.Dir = c.env, c.home
	out, err := command.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// aws runs a command that must succeed. A fresh id may be unknown for a
// moment, as on AWS, so "not found" is tried again.
func (c *cli) aws(args ...string) string {
	c.t.Helper()
	for deadline := time.Now().Add(patience); ; {
		out, err := c.try(args...)
		if err == nil {
			return out
		}
		if !strings.Contains(out, ".NotFound") || time.Now().After(deadline) {
			c.t.Fatalf("aws %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

func (c *cli) parameter(name string) string {
	c.t.Helper()
	return c.aws("ssm", "get-parameters", "--names", name, "--query", "Parameters[0].Value", "--output", "text")
}

// server starts one and returns its id.
func (c *cli) server(image, userData string) string {
	c.t.Helper()
	args := []string{
		"ec2", "run-instances", "--image-id", image, "--instance-type", "t3.micro", "--iam-instance-profile", "Name=fearless-bake-server",
		"--subnet-id", c.parameter("/fearless/bake/subnet"), "--security-group-ids", c.parameter("/fearless/bake/security-group"),
		"--metadata-options", "HttpTokens=required", "--query", "Instances[0].InstanceId", "--output", "text",
	}
	if userData != "" {
		args = append(args, "--user-data", userData)
	}
	return c.aws(args...)
}

// shows waits until an instance's console holds a text.
func (c *cli) shows(instance, text string) {
	c.t.Helper()
	var out string
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		out = c.aws("ec2", "get-console-output", "--instance-id", instance, "--latest", "--output", "text")
		if strings.Contains(out, text) {
			return
		}
	}
	c.t.Fatalf("the console of %s never showed %q:\n%s", instance, text, out)
}

// provision installs a program and a unit that starts it at every boot.
const provision = `#!/bin/sh
set -e
echo "content of the image" > "$MACHINE_ROOT/opt/content"
cat > "$MACHINE_ROOT/etc/systemd/system/app.service" <<'END'
[Service]
ExecStart=/opt/app serve
Restart=always
END
cat > "$MACHINE_ROOT/opt/app" <<'END'
#!/bin/sh
echo "$1: $(cat "$MACHINE_ROOT/opt/content")"
exec sleep 600
END
chmod 755 "$MACHINE_ROOT/opt/app"
systemctl enable app
echo provisioned without ${AWS_ACCESS_KEY_ID:-keys}
shutdown -h now
`

func TestBakeByTheCLI(t *testing.T) {
	t.Parallel()
	p := start(t)
	c := newCLI(t, p)

	if account := c.aws("sts", "get-caller-identity", "--query", "Account", "--output", "text"); account != "111122223333" {
		t.Errorf("account %s", account)
	}
	base := c.parameter("/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64")
	if found := c.aws("ec2", "describe-images", "--image-ids", base, "--query", "Images[0].ImageId", "--output", "text"); found != base {
		t.Errorf("base image %q, want %s", found, base)
	}
	if err := os.WriteFile(filepath.Join(c.home, "provision.sh"), []byte(provision), 0o644); err != nil {
		t.Fatal(err)
	}
	builder := c.server(base, "file://provision.sh")
	c.aws("ec2", "wait", "instance-stopped", "--instance-ids", builder)
	c.shows(builder, "provisioned without keys")

	image := c.aws("ec2", "create-image", "--instance-id", builder, "--name", "app-1", "--query", "ImageId", "--output", "text")
	c.aws("ec2", "wait", "image-available", "--image-ids", image)
	if out, err := c.try("ec2", "create-image", "--instance-id", builder, "--name", "app-1"); err == nil || !strings.Contains(out, "InvalidAMIName.Duplicate") {
		t.Errorf("a second image of that name: %v\n%s", err, out)
	}
	c.aws("ec2", "terminate-instances", "--instance-ids", builder)
	server := c.server(image, "")
	c.shows(server, "serve: content of the image")
	c.aws("ec2", "terminate-instances", "--instance-ids", server)
	c.aws("ec2", "wait", "instance-terminated", "--instance-ids", server, builder)
	// One server is left running for the end of the cloud.
	c.shows(c.server(image, ""), "serve: content of the image")

	rest := p.interrupt(syscall.SIGINT)
	for _, line := range []string{"sts:GetCallerIdentity ok", "ec2:RunInstances ok", "ec2:CreateImage InvalidAMIName.Duplicate"} {
		if !strings.Contains(rest, line) {
			t.Errorf("it did not print %q:\n%s", line, rest)
		}
	}
	if left, err := os.ReadDir(p.dir); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestStoreByTheCLI(t *testing.T) {
	t.Parallel()
	p := start(t)
	c := newCLI(t, p)
	bucket := "s3://fearless-111122223333-us-east-1"
	body := strings.Repeat("fearless ", 200_000) // 1.8 MB
	if err := os.WriteFile(filepath.Join(c.home, "body"), []byte(body), 0o644); err != nil {
		t.Fatal(err)
	}
	c.aws("s3", "cp", "--quiet", "body", bucket+"/bake/a b")
	if out := c.aws("s3", "ls", bucket); !strings.Contains(out, "PRE bake/") {
		t.Errorf("ls of the bucket: %s", out)
	}
	if out := c.aws("s3", "ls", bucket+"/bake/"); !strings.Contains(out, "1800000 a b") {
		t.Errorf("ls of the folder: %s", out)
	}
	c.aws("s3", "cp", "--quiet", bucket+"/bake/a b", "back")
	if back, err := os.ReadFile(filepath.Join(c.home, "back")); err != nil || string(back) != body {
		t.Errorf("%d bytes came back, %v", len(back), err)
	}
	c.aws("s3", "rm", "--quiet", "--recursive", bucket+"/bake/")
	if out, err := c.try("s3", "ls", "--recursive", bucket); out != "" {
		t.Errorf("after rm: %s, %v", out, err)
	}
	if out, err := c.try("s3api", "get-bucket-acl", "--bucket", "fearless-111122223333-us-east-1"); err == nil || !strings.Contains(out, "NotImplemented") {
		t.Errorf("what is not played: %v\n%s", err, out)
	}
	p.interrupt(syscall.SIGTERM)
}
