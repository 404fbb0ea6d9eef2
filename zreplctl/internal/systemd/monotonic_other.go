//go:build illumos || solaris

package systemd

import "time"

// monotonic: there is no systemd here.
func monotonic() time.Duration { return 0 }
