package call

import (
	"context"
	"sort"
	"strconv"
	"sync"
	"time"

	"github.com/switchlet/switchlet/call/event"
)

// maxTasks bounds how many tasks can wait.
const maxTasks = 100000

// Task is one scheduled piece of work, as "show tasks" tells of it.
type Task struct {
	ID    int64
	Desc  string
	Group string
	At    time.Time
	Every time.Duration // 0: once

	run   func(context.Context)
	timer *time.Timer
}

// Scheduler runs work at given times: sched_api, sched_hangup, heartbeats.
type Scheduler struct {
	sw      *Switch
	mu      sync.Mutex
	next    int64
	tasks   map[int64]*Task
	running sync.WaitGroup
	stopped bool
}

func newScheduler(sw *Switch) *Scheduler {
	return &Scheduler{sw: sw, tasks: make(map[int64]*Task)}
}

func (s *Scheduler) start() {
	context.AfterFunc(s.sw.ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.stopped = true
		for _, t := range s.tasks {
			t.timer.Stop()
		}
		clear(s.tasks)
	})
}

func (s *Scheduler) wait() { s.running.Wait() }

// Add runs fn at the given time, and every so often afterwards. It returns the
// task's number, or 0 when too many tasks wait or the switch stops.
func (s *Scheduler) Add(at time.Time, every time.Duration, desc, group string, fn func(context.Context)) int64 {
	s.mu.Lock()
	if s.stopped || len(s.tasks) >= maxTasks {
		s.mu.Unlock()
		return 0
	}
	s.next++
	t := &Task{ID: s.next, Desc: desc, Group: group, At: at, Every: every, run: fn}
	s.tasks[t.ID] = t
	t.timer = time.AfterFunc(time.Until(at), func() { s.fire(t) })
	s.mu.Unlock()
	s.tell(event.AddSchedule, t)
	return t.ID
}

func (s *Scheduler) fire(t *Task) {
	s.mu.Lock()
	if s.tasks[t.ID] == nil || s.stopped {
		s.mu.Unlock()
		return
	}
	s.running.Add(1)
	s.mu.Unlock()
	defer s.running.Done()
	func() {
		defer s.sw.Survive("task "+t.Desc, "")
		t.run(s.sw.ctx)
	}()
	s.mu.Lock()
	alive := s.tasks[t.ID] != nil && !s.stopped
	if alive && t.Every > 0 {
		t.At = t.At.Add(t.Every)
		if now := time.Now(); t.At.Before(now) {
			t.At = now.Add(t.Every)
		}
		t.timer.Reset(time.Until(t.At))
	} else {
		delete(s.tasks, t.ID)
	}
	s.mu.Unlock()
	switch {
	case alive && t.Every > 0:
		s.tell(event.ReSchedule, t)
	case alive:
		s.tell(event.DelSchedule, t)
	}
}

// Delete removes a task by number.
func (s *Scheduler) Delete(id int64) bool {
	s.mu.Lock()
	t := s.tasks[id]
	if t != nil {
		t.timer.Stop()
		delete(s.tasks, id)
	}
	s.mu.Unlock()
	if t != nil {
		s.tell(event.DelSchedule, t)
	}
	return t != nil
}

// DeleteGroup removes all tasks of a group and returns how many there were.
func (s *Scheduler) DeleteGroup(group string) int {
	n := 0
	for _, t := range s.Tasks() {
		if t.Group == group && s.Delete(t.ID) {
			n++
		}
	}
	return n
}

// Tasks returns what is scheduled, by number.
func (s *Scheduler) Tasks() []Task {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]Task, 0, len(s.tasks))
	for _, t := range s.tasks {
		list = append(list, Task{ID: t.ID, Desc: t.Desc, Group: t.Group, At: t.At, Every: t.Every})
	}
	sort.Slice(list, func(i, j int) bool { return list[i].ID < list[j].ID })
	return list
}

func (s *Scheduler) tell(kind event.Type, t *Task) {
	if !s.sw.Bus.Wanted(kind, "") {
		return
	}
	e := event.New(kind, "")
	e.Add("Task-ID", strconv.FormatInt(t.ID, 10))
	e.Add("Task-Desc", t.Desc)
	e.Add("Task-Group", t.Group)
	e.Add("Task-Runtime", strconv.FormatInt(t.At.Unix(), 10))
	s.sw.Bus.Publish(e, "switch_scheduler.c", "switch_scheduler_execute", 75)
}
