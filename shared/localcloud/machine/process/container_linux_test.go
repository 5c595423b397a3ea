package process

import "testing"

func TestLayeredRoot(t *testing.T) {
	t.Parallel()
	plain := "22 1 254:0 / / rw,relatime - ext4 /dev/root rw\n25 22 0:40 / /var/lib/layers rw - overlay overlay rw\n"
	layered := "36 35 0:40 / / rw,relatime master:1 - overlay overlay rw,lowerdir=/a\n"
	if layeredRoot(plain) || !layeredRoot(layered) {
		t.Error("a root made of layers is told by the mount at /")
	}
}
