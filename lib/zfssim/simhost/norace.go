//go:build !race

package simhost

const raced = false
