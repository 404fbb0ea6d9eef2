//go:build race

package simhost

const raced = true
