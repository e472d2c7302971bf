// Switchlet answers phones, browsers and carriers, mixes their sound, runs their
// Lua scripts and obeys the event socket, in FreeSWITCH's formats.
package main

import (
	"os"

	"github.com/switchlet/switchlet/appliance"
)

func main() { os.Exit(appliance.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }
