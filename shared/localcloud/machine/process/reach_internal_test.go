package process

import "testing"

func TestReach(t *testing.T) {
	d := &Driver{disks: map[string]*disk{
		"i-own":    {place: &place{address: "127.88.0.7"}},
		"i-shared": {place: &place{address: "127.0.0.1", portBase: 20_000}},
	}}
	for _, test := range []struct {
		instance string
		port     int
		want     string
	}{
		{"i-own", 8100, "127.88.0.7:8100"},
		{"i-shared", 8000, "127.0.0.1:20000"},
		{"i-shared", 8100, "127.0.0.1:20100"},
		{"i-none", 8000, ""},
	} {
		if got := d.Reach(test.instance, test.port); got != test.want {
			t.Errorf("port %d of %s is at %q, want %q", test.port, test.instance, got, test.want)
		}
	}
}
