module github.com/zrepl-tools/zrepl-tools/zprune

go 1.26.0

require (
	github.com/google/go-cmp v0.7.0
	github.com/zrepl-tools/zrepl-tools/lib v0.1.0
	github.com/peterbourgon/ff/v3 v3.4.0
	golang.org/x/sys v0.49.0
	gopkg.in/yaml.v3 v3.0.1
)
