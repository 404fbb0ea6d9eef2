package config

// Connect says how a job reaches the other host.
type Connect struct {
	Type         string // ssh+stdinserver or exec
	Host, User   string
	Port         int
	IdentityFile string
	Options      []string
	Command      []string
}
