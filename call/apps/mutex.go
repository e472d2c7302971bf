package apps

import (
	"context"
	"errors"
	"strings"
	"sync"

	"github.com/switchlet/switchlet/call"
)

// maxMutexes bounds how many keys one channel can hold.
const maxMutexes = 100

// mutexes let one channel at a time pass under each key, in the order of their
// coming.
type mutexes struct {
	mu    sync.Mutex
	locks map[string]*keyLock
}

type keyLock struct {
	owner   string // UUID
	waiting []chan struct{}
}

func mutexApps(Deps) []call.Application {
	m := &mutexes{locks: make(map[string]*keyLock)}
	return []call.Application{
		{Name: "mutex", Syntax: "<keyname>[ on|off]", Description: "block on a call flow only allowing one at a time", Flags: n, Run: m.run},
	}
}

func (m *mutexes) run(ctx context.Context, ch *call.Channel, args string) error {
	key, word, _ := strings.Cut(args, " ")
	if key == "" {
		ch.Log(call.LogErr, "Missing keyname")
		return nil
	}
	if strings.EqualFold(strings.TrimSpace(word), "off") {
		m.unlock(key, ch.UUID())
		if held, ok := ch.Private("mutexes").(map[string]bool); ok {
			delete(held, key)
		}
		return nil
	}
	return m.lock(ctx, ch, key)
}

// lock waits for its turn; the end of the call gives the key back.
func (m *mutexes) lock(ctx context.Context, ch *call.Channel, key string) error {
	held, _ := ch.Private("mutexes").(map[string]bool)
	if held[key] {
		return nil
	}
	if len(held) >= maxMutexes {
		return errors.New("mutex: too many keys")
	}
	turn := m.ask(key, ch.UUID())
	for turn != nil {
		err := ch.Wait(ctx, turn, call.WaitOptions{})
		if err == nil {
			m.mu.Lock()
			m.locks[key].owner = ch.UUID()
			m.mu.Unlock()
			break
		}
		if !errors.Is(err, call.ErrBreak) {
			m.giveUp(key, turn)
			return err
		}
	}
	if held == nil {
		held = make(map[string]bool)
		ch.OnHangup(func(c *call.Channel) {
			for key := range held {
				m.unlock(key, c.UUID())
			}
		})
	}
	held[key] = true
	ch.SetPrivate("mutexes", held)
	return nil
}

// ask takes the key, or returns what is closed when it is the caller's turn.
func (m *mutexes) ask(key, uuid string) chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	l := m.locks[key]
	if l == nil {
		m.locks[key] = &keyLock{owner: uuid}
		return nil
	}
	turn := make(chan struct{})
	l.waiting = append(l.waiting, turn)
	return turn
}

// unlock passes the key on, if uuid has it.
func (m *mutexes) unlock(key, uuid string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if l := m.locks[key]; l != nil && l.owner == uuid {
		m.next(key, l)
	}
}

// next gives the key to who waits longest; m.mu is held.
func (m *mutexes) next(key string, l *keyLock) {
	if len(l.waiting) == 0 {
		delete(m.locks, key)
		return
	}
	l.owner = ""
	close(l.waiting[0])
	l.waiting = l.waiting[1:]
}

// giveUp leaves the queue; a turn that came meanwhile is passed on.
func (m *mutexes) giveUp(key string, turn chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	l := m.locks[key]
	for i, w := range l.waiting {
		if w == turn {
			l.waiting = append(l.waiting[:i], l.waiting[i+1:]...)
			return
		}
	}
	m.next(key, l)
}
