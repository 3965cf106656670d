// SPDX-License-Identifier: MIT

// Go: the same works with goroutines, channels, errgroup and context.
package main

import (
	"fmt"
	"os"
	"strconv"
	"time"
)

type size struct {
	count    uint64
	workers  int
	capacity int
}

var works = map[string]func(size) uint64{
	"pool":      pool,
	"errgroup":  withErrgroup,
	"semaphore": withSemaphore,
	"fan":       fan,
	"channel":   channel,
	"ping-pong": pingPong,
	"contexts":  contexts,
	"tree":      tree,
	"waiters":   waiters,
	"periodic":  periodic,
}

var began, ended time.Time
var figures string

func begin() { began = time.Now() }
func end()   { ended = time.Now() }

func report(name string, value float64) {
	figures += fmt.Sprintf(", \"%s\": %.9g", name, value)
}

func main() {
	var run func(size) uint64
	if len(os.Args) == 5 {
		run = works[os.Args[1]]
	}
	if run == nil {
		fmt.Fprintln(os.Stderr, "Usage: peer_go WORK COUNT WORKERS CAPACITY")
		os.Exit(2)
	}
	count, _ := strconv.ParseUint(os.Args[2], 10, 64)
	workers, _ := strconv.Atoi(os.Args[3])
	capacity, _ := strconv.Atoi(os.Args[4])
	result := run(size{count, workers, capacity})
	fmt.Printf("{\"seconds\": %.9f, \"result\": %d%s}\n", ended.Sub(began).Seconds(), result, figures)
}
