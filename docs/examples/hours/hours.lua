-- A help desk: open on working days from 9 to 17. Customers enter their number;
-- who has a contract is connected, everybody else may leave a message.

local function open()
  local now = os.date("*t")
  return now.wday >= 2 and now.wday <= 6 and now.hour >= 9 and now.hour < 17
end

local function contract(number)
  local found
  local dbh = freeswitch.Dbh("sqlite://customers")
  dbh:query("SELECT name FROM customers WHERE number = '" .. number .. "' AND contract = 1", function(row) found = row.name end)
  dbh:release()
  return found
end

local function message()
  session:streamFile("voicemail/vm-record_message.wav")
  session:streamFile("tone_stream://%(200,0,880)")
  session:recordFile(freeswitch.getGlobalVariable("recordings_dir") .. "/message.wav", 60, 200, 2)
  session:streamFile("voicemail/vm-goodbye.wav")
  session:hangup()
end

session:answer()
session:sleep(500)
if not open() then
  session:streamFile("helpdesk/closed.wav")
  return message()
end

local number = session:playAndGetDigits(4, 4, 3, 5000, "#", "helpdesk/customer-number.wav", "helpdesk/invalid.wav", "\\d{4}", "customer", 3000)
if not session:ready() then return end
local name = contract(number)
session:setVariable("customer_name", name or "")
if not name then return message() end

session:setVariable("continue_on_fail", "true")
session:setVariable("hangup_after_bridge", "true")
session:setVariable("call_timeout", "20")
session:setVariable("transfer_ringback", "local_stream://moh")
session:execute("bridge", "user/1001@" .. freeswitch.getGlobalVariable("domain"))
if session:ready() then message() end
