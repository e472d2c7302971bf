-- Extension 5000: a small receptionist.
--
-- It answers, asks for two digits, looks the caller up in a database, writes the
-- visit down, and connects the call. Copy it to the scripts directory to change
-- it: a script there is taken instead of this one.
--
-- Global variables that it reads:
--   demo_greeting     a sound to be played after the tone
--   demo_bridge       where 00 and everything else goes (user/1001@DOMAIN)
--   default_gateway   with it the digits are dialled through that gateway

local function log(level, text)
  freeswitch.consoleLog(level, "demo: " .. text .. "\n")
end

local function global(name, default)
  local value = freeswitch.getGlobalVariable(name)
  if value == nil or value == "" then return default end
  return value
end

-- Quotes a text for SQL.
local function quoted(text)
  return "'" .. string.gsub(text, "'", "''") .. "'"
end

-- Writes the visit down and returns how often this caller was here before.
local function remember(caller, digits)
  local dbh = freeswitch.Dbh("sqlite://demo")
  if not dbh:connected() then
    log("err", "no database, going on without")
    return 0
  end
  dbh:test_reactive("SELECT count(*) FROM visits", "DROP TABLE visits",
    "CREATE TABLE visits (caller TEXT, digits TEXT, at TEXT)")
  local visits = 0
  dbh:query("SELECT count(*) AS n FROM visits WHERE caller = " .. quoted(caller), function(row)
    visits = tonumber(row.n) or 0
  end)
  local at = os.date("!%Y-%m-%d %H:%M:%S")
  if not dbh:query(string.format("INSERT INTO visits VALUES (%s, %s, %s)", quoted(caller), quoted(digits), quoted(at))) then
    log("err", "cannot write the visit: " .. tostring(dbh:last_error()))
  end
  dbh:release()
  return visits
end

local function play(sound)
  if session:ready() and sound then session:streamFile(sound) end
end

local function greet()
  play("tone_stream://%(200,100,440);%(200,100,554);%(400,0,659)")
  local sound = global("demo_greeting")
  if sound and freeswitch.API():execute("file_exists", sound) == "true" then play(sound) end
end

local function target(digits)
  local gateway = global("default_gateway")
  if gateway and digits ~= "00" then return "sofia/gateway/" .. gateway .. "/" .. digits end
  local domain = session:getVariable("domain_name") or global("domain", "localhost")
  return global("demo_bridge", "user/1001@" .. domain)
end

session:answer()
session:sleep(300)
greet()

local caller = session:getVariable("caller_id_number") or "unknown"
local digits = session:playAndGetDigits(2, 2, 3, 5000, "#", "tone_stream://%(150,0,880)",
  "tone_stream://%(150,100,300);loops=2", "\\d\\d", "demo_digits", 3000)
if not session:ready() then
  log("info", caller .. " hung up")
  return
end

local visits = remember(caller, digits)
session:setVariable("demo_visits", tostring(visits))
if digits == "" then
  log("info", caller .. " pressed nothing")
  play("tone_stream://%(250,250,480,620);loops=2")
  session:hangup("NORMAL_CLEARING")
  return
end

if visits == 0 then
  log("notice", "welcome, " .. caller .. ", who pressed " .. digits)
else
  log("notice", string.format("welcome back, %s, who pressed %s and was here %d times", caller, digits, visits))
  play("tone_stream://%(100,50,659);%(200,0,784)")
end

local to = target(digits)
session:setVariable("demo_target", to)
session:setVariable("hangup_after_bridge", "true")
session:setVariable("continue_on_fail", "true")
log("info", "connecting " .. caller .. " with " .. to)
session:execute("bridge", to)

if session:ready() then
  local cause = session:getVariable("originate_disposition") or "NONE"
  log("warning", to .. " cannot be reached: " .. cause)
  play("tone_stream://%(500,500,480,620);loops=3")
  session:hangup("NORMAL_CLEARING")
end
