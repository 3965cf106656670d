// SPDX-License-Identifier: MIT

// Empty jobs through goroutines that range over a channel with room for 1024.
package main

import (
	"fmt"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "Usage: pool_go COUNT WORKERS")
		os.Exit(2)
	}
	count, _ := strconv.Atoi(os.Args[1])
	workers, _ := strconv.Atoi(os.Args[2])
	started := time.Now()
	var done uint64
	var wait sync.WaitGroup
	jobs := make(chan func(), 1024)
	for i := 0; i < workers; i++ {
		wait.Add(1)
		go func() {
			defer wait.Done()
			for job := range jobs {
				job()
			}
		}()
	}
	for i := 0; i < count; i++ {
		jobs <- func() { atomic.AddUint64(&done, 1) }
	}
	close(jobs)
	wait.Wait()
	fmt.Printf("{\"seconds\": %.9f, \"result\": %d}\n", time.Since(started).Seconds(), done)
}
