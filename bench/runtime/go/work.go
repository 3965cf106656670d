// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"
)

// A function and its argument, as reeve's pool takes them: a closure would cost an allocation a job.
type job struct {
	run func(uint64)
	arg uint64
}

// Nearly empty jobs through goroutines that range over a channel.
func pool(s size) uint64 {
	var done uint64
	var wait sync.WaitGroup
	jobs := make(chan job, s.capacity)
	for i := 0; i < s.workers; i++ {
		wait.Add(1)
		go func() {
			defer wait.Done()
			for job := range jobs {
				job.run(job.arg)
			}
		}()
	}
	add := func(arg uint64) { atomic.AddUint64(&done, arg) }
	begin()
	for i := uint64(0); i < s.count; i++ {
		jobs <- job{add, i}
	}
	close(jobs)
	wait.Wait()
	end()
	return done
}

func withErrgroup(s size) uint64 {
	var done uint64
	task := func() error {
		atomic.AddUint64(&done, 1)
		return nil
	}
	begin()
	group, _ := errgroup.WithContext(context.Background())
	group.SetLimit(s.workers)
	for i := uint64(0); i < s.count; i++ {
		group.Go(task)
	}
	if group.Wait() != nil {
		return 0
	}
	end()
	return done
}

// The same limit by a semaphore.
func withSemaphore(s size) uint64 {
	var done uint64
	limit := semaphore.NewWeighted(int64(s.workers))
	task := func() error {
		atomic.AddUint64(&done, 1)
		limit.Release(1)
		return nil
	}
	begin()
	group, ctx := errgroup.WithContext(context.Background())
	for i := uint64(0); i < s.count; i++ {
		if limit.Acquire(ctx, 1) != nil {
			return 0
		}
		group.Go(task)
	}
	if group.Wait() != nil {
		return 0
	}
	end()
	return done
}

func fan(s size) uint64 {
	var sum uint64
	var wait sync.WaitGroup
	in := make(chan uint64, s.capacity)
	out := make(chan uint64, s.capacity)
	begin()
	go func() {
		for i := uint64(0); i < s.count; i++ {
			in <- i
		}
		close(in)
	}()
	for i := 0; i < s.workers; i++ {
		wait.Add(1)
		go func() {
			defer wait.Done()
			for item := range in {
				out <- item * 3
			}
		}()
	}
	go func() {
		wait.Wait()
		close(out)
	}()
	for value := range out {
		sum += value
	}
	end()
	return sum
}

func channel(s size) uint64 {
	var senders, receivers sync.WaitGroup
	each := s.count / uint64(s.workers)
	sums := make([]uint64, s.workers)
	elements := make(chan uint64, s.capacity)
	begin()
	for i := 0; i < s.workers; i++ {
		senders.Add(1)
		receivers.Add(1)
		go func(i int) {
			defer receivers.Done()
			var sum uint64
			for value := range elements {
				sum += value
			}
			sums[i] = sum
		}(i)
		go func(first uint64) {
			defer senders.Done()
			for value := first; value < first+each; value++ {
				elements <- value
			}
		}(uint64(i) * each)
	}
	senders.Wait()
	close(elements)
	receivers.Wait()
	end()
	var sum uint64
	for _, part := range sums {
		sum += part
	}
	return sum
}

func pingPong(s size) uint64 {
	var sum uint64
	there := make(chan uint64)
	back := make(chan uint64)
	go func() {
		for value := range there {
			back <- value
		}
	}()
	begin()
	for i := uint64(0); i < s.count; i++ {
		there <- i
		sum += <-back
	}
	end()
	close(there)
	return sum
}
