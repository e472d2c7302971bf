-- socket.http and ssl.https: requests over the switch's own client.
local name, core = ...
local ltn12 = require("ltn12")
local M = {TIMEOUT = 60, USERAGENT = "LuaSocket 3.0 (Switchlet)", _VERSION = "LuaSocket 3.0"}

local function perform(r)
  local body = r.body
  if r.source then
    local list = {}
    local snk = ltn12.sink.table(list)
    local ok, message = ltn12.pump.all(r.source, snk, r.step)
    if not ok then return nil, message end
    body = table.concat(list)
  end
  local headers = {["user-agent"] = M.USERAGENT}
  for k, v in pairs(r.headers or {}) do headers[k:lower()] = tostring(v) end
  local url = r.url
  if not url then
    url = (r.scheme or (name == "ssl.https" and "https" or "http")) .. "://" .. (r.host or "") .. (r.port and ":" .. r.port or "")
      .. (r.path or r.uri or "/") .. (r.query and "?" .. r.query or "")
  end
  return core.http(r.method or (body and "POST" or "GET"), url, headers, body, r.redirect ~= false and r.redirect ~= "none", M.TIMEOUT, r.user, r.password)
end

function M.request(what, body)
  if type(what) == "table" then
    local text, code, headers, status = perform(what)
    if not text then return nil, code end
    if what.sink then
      local ok, message = ltn12.pump.all(ltn12.source.string(text), what.sink, what.step)
      if not ok then return nil, message end
    end
    return 1, code, headers, status
  end
  local headers
  if body then headers = {["content-type"] = "application/x-www-form-urlencoded"} end
  return perform({url = what, body = body, headers = headers})
end

return M
