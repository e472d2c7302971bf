package appliance

import (
	"strings"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/conf"
	"github.com/switchlet/switchlet/store"
	"github.com/switchlet/switchlet/store/remote"
)

// openDatabases opens the store: files of this box, and the servers that scripts
// may name. databases.conf is read at each connection, so that a reload counts.
func (b *Box) openDatabases(settings conf.ParamList) (*store.Store, error) {
	o := store.Options{Dir: b.data.path("db"), MaxHandles: settings.Int("max-db-handles", 0),
		Wait:    time.Duration(settings.Int("db-handle-timeout", 0)) * time.Second,
		Drivers: remote.Drivers(), Names: b.databaseName,
		Warn: func(text string) { b.log.Printf(call.LogWarning, "%s", text) }}
	if b.rehearsal != nil {
		o.Drivers, o.Rename = nil, b.rehearsal.rename
	}
	return store.Open(o)
}

// databaseName is what a name of databases.conf stands for.
func (b *Box) databaseName(name string) (dsn string, ok bool) {
	for _, n := range b.store.Tree().Configuration("databases.conf").Child("databases").ChildrenNamed("database") {
		if strings.EqualFold(n.Attr("name"), name) && n.Attr("dsn") != "" {
			return n.Attr("dsn"), true
		}
	}
	return "", false
}
