package simulated_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"bitbucket.org/fearless/pipes/shared/localcloud/machine"
	"bitbucket.org/fearless/pipes/shared/localcloud/machine/simulated"
)

func create(t *testing.T, d *simulated.Driver, instance, content string) string {
	t.Helper()
	address, err := d.Create(instance, content)
	if err != nil {
		t.Fatal(err)
	}
	return address
}

func start(t *testing.T, d *simulated.Driver, instance, script string) machine.Machine {
	t.Helper()
	m, err := d.Start(machine.Boot{Instance: instance, FirstBoot: true, UserData: []byte(script)})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func freeze(t *testing.T, d *simulated.Driver, instance string) string {
	t.Helper()
	content, err := d.Freeze(instance)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func TestAddressesDiffer(t *testing.T) {
	d := simulated.New(simulated.Idle)
	seen := map[string]bool{}
	for n := range 600 {
		address := create(t, d, strings.Repeat("i", n+1), "")
		if seen[address] || !strings.HasPrefix(address, "10.77.") || strings.HasSuffix(address, ".0") || strings.HasSuffix(address, ".255") {
			t.Fatalf("instance %d got %s", n, address)
		}
		seen[address] = true
	}
}

func TestMachineEndsByItselfOrByTheButton(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := simulated.New(func(ctx context.Context, b machine.Boot) {
			if string(b.UserData) == "short" {
				<-time.After(time.Minute)
				return
			}
			<-ctx.Done()
		})
		create(t, d, "a", "")
		create(t, d, "b", "")
		began := time.Now()
		<-start(t, d, "a", "short").Done()
		if took := time.Since(began); took != time.Minute {
			t.Errorf("it was on for %s", took)
		}
		m := start(t, d, "b", "long")
		if _, err := d.Freeze("b"); err == nil {
			t.Error("the disk of a machine that is on was frozen")
		}
		if _, err := d.Start(machine.Boot{Instance: "b"}); err == nil {
			t.Error("a machine was switched on twice")
		}
		m.Stop()
		m.Stop()
		<-m.Done()
		freeze(t, d, "b")
	})
}

func TestContentIsTheHistory(t *testing.T) {
	d := simulated.New(func(context.Context, machine.Boot) {})
	disk := func(instance, parent string, scripts ...string) string {
		create(t, d, instance, parent)
		for _, script := range scripts {
			<-start(t, d, instance, script).Done()
		}
		return freeze(t, d, instance)
	}
	one := disk("1", "", "a")
	if same := disk("2", "", "a"); same != one {
		t.Error("equal histories differ")
	}
	next := disk("3", one, "b")
	for name, other := range map[string]string{"script": disk("4", "", "b"), "parent": disk("5", one, "a"), "length": disk("6", "", "a", "b")} {
		if other == one || other == next {
			t.Errorf("another %s gives the same content", name)
		}
	}
	if err := d.Forget(one); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Create("7", one); err == nil {
		t.Error("a disk was made of content that is forgotten")
	}
}

func TestCloseEndsEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := simulated.New(simulated.Idle)
		create(t, d, "a", "")
		m := start(t, d, "a", "")
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		<-m.Done()
		if _, err := d.Create("b", ""); err == nil {
			t.Error("a disk was made after the end")
		}
		for range 2 {
			if err := d.Destroy("a"); err != nil {
				t.Error(err)
			}
		}
		if d.Disks() != 0 {
			t.Errorf("%d disks are left", d.Disks())
		}
	})
}
