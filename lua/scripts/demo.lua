-- Extension 5000: a small receptionist that shows what a script can do.
--
-- It answers, greets the caller by the name that it keeps in SQLite, and offers a
-- menu: the date, a note that is recorded and played back, a call to an extension
-- or out through the gateway, the conference, the caller's own name, an echo, the
-- operator. Copy it to the scripts directory to change it: a script there is taken
-- instead of this one.
--
-- What it says are the sounds demo/demo-NAME.wav, built in; a file of that name in
-- the sounds directory is heard instead. It reads two global variables:
--   demo_operator     whom 0 calls (user/1001@DOMAIN)
--   default_provider  the gateway for numbers that are no extension
-- Only callers whose account has a toll_allow may call out through the gateway.

local function log(level, text)
  freeswitch.consoleLog(level, "demo: " .. text .. "\n")
end

local function variable(name, default)
  local value = session:getVariable(name)
  if value == nil or value == "" then return default end
  return value
end

local function global(name, default)
  local value = freeswitch.getGlobalVariable(name)
  if value == nil or value == "" then return default end
  return value
end

local caller = variable("user_name", variable("caller_id_number", "unknown"))
local domain = variable("domain_name", global("domain", "localhost"))

-- A name that may stand in a path.
local function plain(text)
  return (string.gsub(text, "[^%w]", "_"))
end

-- Where the sounds of this caller are kept.
local function recording(kind)
  return global("recordings_dir", ".") .. "/demo-" .. kind .. "-" .. plain(caller) .. ".wav"
end

local function exists(path)
  return freeswitch.API():execute("file_exists", path) == "true"
end

-- The database: who called, under which name, how often, and the notes.

local dbh = freeswitch.Dbh("sqlite://demo")
if dbh:connected() then
  dbh:query("CREATE TABLE IF NOT EXISTS callers (number TEXT PRIMARY KEY, name TEXT, visits INTEGER)")
  dbh:query("CREATE TABLE IF NOT EXISTS visits (caller TEXT, pressed TEXT, at TEXT)")
  dbh:query("CREATE TABLE IF NOT EXISTS notes (caller TEXT PRIMARY KEY, file TEXT, at TEXT)")
else
  log("err", "no database, going on without")
  dbh = nil
end

-- Quotes a text for SQL.
local function quoted(text)
  return "'" .. string.gsub(text, "'", "''") .. "'"
end

local function write(sql, ...)
  if not dbh then return end
  local values = {}
  for i, value in ipairs({ ... }) do values[i] = quoted(value) end
  if not dbh:query(string.format(sql, table.unpack(values))) then
    log("err", "the database refuses: " .. tostring(dbh:last_error()))
  end
end

local function first(sql, ...)
  local found
  local values = {}
  for i, value in ipairs({ ... }) do values[i] = quoted(value) end
  if dbh then dbh:query(string.format(sql, table.unpack(values)), function(row) found = row return 1 end) end
  return found
end

local function now()
  return os.date("!%Y-%m-%d %H:%M:%S")
end

-- Counts the visit; returns the name and how often the caller was here before.
local function remember()
  local known = first("SELECT name, visits FROM callers WHERE number = %s", caller)
  if known then
    write("UPDATE callers SET visits = visits + 1 WHERE number = %s", caller)
    return known.name, tonumber(known.visits) or 0
  end
  local name = variable("effective_caller_id_name", variable("caller_id_name", caller))
  write("INSERT INTO callers VALUES (%s, %s, 1)", caller, name)
  return name, 0
end

-- Sound. A key ends what is played, and is kept for the menu.

local typed = ""

function on_key(_, kind, key)
  if kind ~= "dtmf" then return end
  typed = typed .. key.digit
  return "break"
end

local function play(sound)
  if typed ~= "" or not session:ready() then return end
  session:setInputCallback("on_key", "")
  session:streamFile(sound)
  session:unsetInputCallback()
end

local function say(text, kind, method)
  if typed ~= "" or not session:ready() then return end
  session:setInputCallback("on_key", "")
  session:say(text, "en", kind, method)
  session:unsetInputCallback()
end

local beep = "tone_stream://%(200,0,880)"

-- Says a name: as the caller has spoken it, or "extension number" and its digits,
-- or by its letters.
local function say_name(name)
  local extension = string.match(name, "^Extension (%d+)$")
  if exists(recording("name")) then
    play(recording("name"))
  elseif extension then
    play("ivr/ivr-extension_number.wav")
    say(extension, "NUMBER", "ITERATED")
  else
    say(string.sub(name, 1, 20), "NAME_SPELLED", "PRONOUNCED")
  end
end

local function greet()
  local name, visits = remember()
  session:setVariable("demo_visits", tostring(visits))
  log("notice", string.format("%s (%s) was here %d times before", name, caller, visits))
  play(visits == 0 and "demo/demo-welcome.wav" or "demo/demo-welcome_back.wav")
  say_name(name)
end

-- Records until a key is pressed, three seconds of silence or 30 seconds.
local function record(kind)
  local path = recording(kind)
  play(beep)
  typed = ""
  session:setInputCallback("on_key", "")
  session:recordFile(path, 30, 200, 3)
  session:unsetInputCallback()
  typed = ""
  return path
end

-- The choices of the menu.

local choices = {}

choices["1"] = function()
  play("demo/demo-today.wav")
  say(tostring(os.time()), "CURRENT_DATE", "PRONOUNCED")
end

choices["2"] = function()
  play("voicemail/vm-record_message.wav")
  local path = record("note")
  write("INSERT OR REPLACE INTO notes VALUES (%s, %s, %s)", caller, path, now())
  play("demo/demo-your_note.wav")
  play(path)
end

choices["3"] = function()
  local note = first("SELECT file, at FROM notes WHERE caller = %s", caller)
  if not note or not exists(note.file) then return play("demo/demo-no_note.wav") end
  play("demo/demo-your_note.wav")
  play(note.file)
end

-- Connects the caller; comes back when that fails.
local function connect(to)
  session:setVariable("demo_target", to)
  session:setVariable("hangup_after_bridge", "true")
  session:setVariable("continue_on_fail", "true")
  session:setVariable("call_timeout", "30")
  session:setVariable("transfer_ringback", "tone_stream://" .. global("us-ring", "%(2000,4000,440,480)"))
  log("info", "connecting " .. caller .. " with " .. to)
  session:execute("bridge", to)
  if not session:ready() then return end
  log("warning", to .. " cannot be reached: " .. variable("originate_disposition", "NONE"))
  play("demo/demo-cannot_reach.wav")
end

choices["4"] = function()
  local number = session:read(1, 20, "demo/demo-number.wav", 8000, "#")
  if number == nil or not string.match(number, "^%d+$") then return end
  if string.match(number, "^10[01]%d$") then return connect("user/" .. number .. "@" .. domain) end
  if not variable("toll_allow") then return play("demo/demo-not_allowed.wav") end
  return connect("sofia/gateway/" .. variable("default_gateway", global("default_provider", "none")) .. "/" .. number)
end

choices["5"] = function()
  session:execute("conference", "3000-" .. domain .. "@default")
end

choices["6"] = function()
  play("ivr/ivr-say_name.wav")
  play(record("name"))
end

choices["9"] = function()
  session:transfer("9196", "XML", "default")
end

choices["0"] = function()
  return connect(global("demo_operator", "user/1001@" .. domain))
end

-- One round of the menu; false when it was the last.
local function menu()
  local key = string.sub(typed, 1, 1)
  typed = ""
  if key == "" then key = session:read(1, 1, "demo/demo-menu.wav", 5000, "") or "" end
  if not session:ready() then return false end
  local choice = choices[key]
  if not choice then return key ~= "" end
  write("INSERT INTO visits VALUES (%s, %s, %s)", caller, key, now())
  choice()
  return true
end

session:answer()
session:sleep(300)
greet()

local silent = 0
while session:ready() and silent < 3 do
  if menu() then silent = 0 else silent = silent + 1 end
end
if dbh then dbh:release() end
if session:ready() then
  play("voicemail/vm-goodbye.wav")
  session:hangup("NORMAL_CLEARING")
end
