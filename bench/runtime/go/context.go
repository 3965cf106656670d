// SPDX-License-Identifier: MIT

package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"sort"
	"sync"
	"syscall"
	"time"
)

func contexts(s size) uint64 {
	var cancelled uint64
	parent, cancelParent := context.WithCancel(context.Background())
	defer cancelParent()
	begin()
	for i := uint64(0); i < s.count; i++ {
		child, cancel := context.WithCancel(parent)
		cancel()
		if child.Err() != nil {
			cancelled++
		}
	}
	end()
	return cancelled
}

func tree(s size) uint64 {
	var cancelled uint64
	var all []context.Context
	root, cancel := context.WithCancel(context.Background())
	for i := 0; i < s.workers; i++ {
		branch, cancelBranch := context.WithCancel(root)
		defer cancelBranch()
		all = append(all, branch)
		for j := uint64(0); j < s.count; j++ {
			leaf, cancelLeaf := context.WithCancel(branch)
			defer cancelLeaf()
			all = append(all, leaf)
		}
	}
	begin()
	cancel()
	end()
	for _, ctx := range all {
		if ctx.Err() != nil {
			cancelled++
		}
	}
	return cancelled
}

func waiters(s size) uint64 {
	var started, woken sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	for i := 0; i < s.workers; i++ {
		started.Add(1)
		woken.Add(1)
		go func() {
			started.Done()
			<-ctx.Done()
			woken.Done()
		}()
	}
	started.Wait()
	time.Sleep(50 * time.Millisecond)
	begin()
	cancel()
	woken.Wait()
	end()
	return uint64(s.workers)
}

func cpu() float64 {
	var usage syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return float64(usage.Utime.Nano()+usage.Stime.Nano()) / 1e9
}

func resident() float64 {
	var total, pages int64
	file, err := os.Open("/proc/self/statm")
	if err != nil {
		return 0
	}
	defer file.Close()
	fmt.Fscan(bufio.NewReader(file), &total, &pages)
	return float64(pages * int64(os.Getpagesize()))
}

// A goroutine with a ticker each.
func periodic(s size) uint64 {
	var lock sync.Mutex
	var counting bool
	var lateness []float64
	stop := make(chan struct{})
	memory := resident()
	lateness = make([]float64, 0, int(s.count)*(s.workers+2))
	for i := uint64(0); i < s.count; i++ {
		delay := time.Second + time.Duration(uint64(time.Second)/s.count*i)
		go func(due time.Time) {
			time.Sleep(time.Until(due))
			ticker := time.NewTicker(time.Second)
			defer ticker.Stop()
			due = time.Now().Add(time.Second)
			for {
				select {
				case <-ticker.C:
					late := time.Since(due)
					due = due.Add(time.Second)
					lock.Lock()
					if counting {
						lateness = append(lateness, late.Seconds())
					}
					lock.Unlock()
				case <-stop:
					return
				}
			}
		}(time.Now().Add(delay))
	}
	time.Sleep(2500 * time.Millisecond)
	memory = resident() - memory
	before := cpu()
	lock.Lock()
	counting = true
	lock.Unlock()
	begin()
	time.Sleep(time.Duration(s.workers) * time.Second)
	end()
	lock.Lock()
	counting = false
	lock.Unlock()
	report("cpu", cpu()-before)
	report("bytes", memory)
	sort.Float64s(lateness)
	report("p99", lateness[len(lateness)*99/100])
	report("beats", float64(len(lateness)))
	close(stop)
	return s.count
}
