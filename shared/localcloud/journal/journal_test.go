package journal_test

import (
	"sync"
	"testing"

	"bitbucket.org/fearless/pipes/shared/localcloud/journal"
)

func TestFilters(t *testing.T) {
	var j journal.Journal
	for _, e := range []journal.Entry{
		{Service: "ec2", Action: "RunInstances", Run: "1"}, {Service: "ec2", Action: "CreateImage", Run: "1", Code: "InvalidAMIName.Duplicate"},
		{Service: "s3", Action: "PutObject", Run: "2"},
	} {
		j.Add(e)
	}
	for want, filters := range map[string][]journal.Filter{
		"123": nil, "12": {journal.Of("ec2:*")}, "2": {journal.Of("ec2:*"), journal.Failed}, "3": {journal.Run("2")},
		"1": {journal.Of("ec2:RunInstances"), journal.Succeeded}, "23": {journal.Since(1)}, "": {journal.Of("s3:GetObject")},
	} {
		got := ""
		for _, e := range j.Entries(filters...) {
			got += string(rune('0' + e.N))
		}
		if got != want {
			t.Errorf("got entries %s, want %s", got, want)
		}
	}
}

func TestManyWriters(t *testing.T) {
	var j journal.Journal
	var writers sync.WaitGroup
	for range 50 {
		writers.Go(func() { j.Add(journal.Entry{}) })
	}
	writers.Wait()
	for n, e := range j.Entries() {
		if e.N != n+1 {
			t.Fatalf("entry %d has the number %d", n+1, e.N)
		}
	}
	if j.Count() != 50 {
		t.Errorf("%d entries", j.Count())
	}
}
