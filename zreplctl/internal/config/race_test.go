//go:build race

package config

// slower is how much more time and memory a program takes with the race
// detector in it, generously.
const slower = 10
