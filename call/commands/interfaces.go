package commands

import "github.com/switchlet/switchlet/call"

// codecNames are the reference's names of codecs and the modules they come from.
var codecNames = map[string][2]string{
	"PCMU": {"G.711 ulaw", "CORE_PCM_MODULE"}, "PCMA": {"G.711 alaw", "CORE_PCM_MODULE"},
	"L16": {"RAW Signed Linear (16 bit)", "CORE_PCM_MODULE"}, "opus": {"OPUS (STANDARD)", "mod_opus"},
	"G722": {"G.722", "mod_spandsp"}, "GSM": {"GSM", "mod_spandsp"}, "G729": {"G.729", "mod_g729"},
	"G723": {"G.723.1 6.3k", "mod_g723_1"}, "AMR": {"AMR / Octet Aligned", "mod_amr"},
	"AMR-WB": {"AMR-WB / Octet Aligned", "mod_amrwb"}, "iLBC": {"iLBC", "mod_ilbc"}, "speex": {"Speex", "mod_speex"},
}

// codecRows are name and module of each codec, once.
func codecRows(codecs []string) [][2]string {
	seen := map[string]bool{}
	var out [][2]string
	for _, c := range codecs {
		row, ok := codecNames[c]
		if !ok {
			row = [2]string{c, "CORE_PCM_MODULE"}
		}
		if !seen[row[0]] {
			seen[row[0]] = true
			out = append(out, row)
		}
	}
	return out
}

// applicationModules are the modules of applications that are not mod_dptools'.
var applicationModules = map[string]string{"conference": "mod_conference", "conference_set_auto_outcall": "mod_conference",
	"lua": "mod_lua", "socket": "mod_event_socket", "voicemail": "mod_voicemail", "fifo": "mod_fifo", "valet_park": "mod_valet_parking",
	"hash": "mod_hash", "db": "mod_db", "group": "mod_db", "unloop": "mod_loopback", "sofia_sla": "mod_sofia"}

func applicationModule(name string) string {
	if m, ok := applicationModules[name]; ok {
		return m
	}
	return "mod_dptools"
}

// moduleTable are the interfaces of every module, or of one.
func moduleTable(sw *call.Switch, d Deps, module string) table {
	t := table{columns: []string{"type", "name", "ikey", "filename"}}
	rows := interfaceRows(sw, d)
	for _, kind := range sortedKeys(rows) {
		for _, r := range rows[kind] {
			if module == "" || r[2] == module {
				t.rows = append(t.rows, append(r[:3:3], ""))
			}
		}
	}
	return t
}
