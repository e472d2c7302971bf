-- lua-cjson's interface over the switch's own JSON. cjson.safe gives nil and a
-- message where cjson raises an error.
local name, core = ...

local function new(safe)
  local M = {_NAME = "cjson", _VERSION = "2.1.0", null = core.null, empty_array = core.empty}
  local array_mt = {}
  M.array_mt, M.empty_array_mt = array_mt, {}
  local settings = {object = true, depth = 1000}

  local function array(t)
    local meta = getmetatable(t)
    if meta == array_mt then
      local most = 0
      for k in pairs(t) do if type(k) == "number" and k > most then most = k end end
      return true, most
    end
    local n, most = 0, 0
    for k in pairs(t) do
      if type(k) ~= "number" or k < 1 or k ~= math.floor(k) then return false end
      n = n + 1
      if k > most then most = k end
    end
    if n == 0 then return meta == M.empty_array_mt or not settings.object, 0 end
    if most > 10 and most > 2 * n then error("Cannot serialise table: excessively sparse array", 0) end
    return true, most
  end

  local function write(out, v, depth)
    if type(v) ~= "table" then
      if type(v) == "function" or type(v) == "thread" or type(v) == "userdata" and v ~= core.null and v ~= core.empty then
        error("Cannot serialise " .. type(v) .. ": type not supported", 0)
      end
      if type(v) == "number" and (v ~= v or v == math.huge or v == -math.huge) then
        error("Cannot serialise number: must not be NaN or Infinity", 0)
      end
      out[#out + 1] = core.encode(v, core.null)
      return
    end
    if depth > settings.depth then error("Cannot serialise, excessive depth (" .. depth .. ")", 0) end
    local isarray, n = array(v)
    if isarray then
      out[#out + 1] = "["
      for i = 1, n do
        if i > 1 then out[#out + 1] = "," end
        write(out, v[i] == nil and core.null or v[i], depth + 1)
      end
      out[#out + 1] = "]"
      return
    end
    out[#out + 1] = "{"
    local first = true
    for k, item in pairs(v) do
      if type(k) ~= "string" and type(k) ~= "number" then error("Cannot serialise " .. type(k) .. ": table key must be a number or string", 0) end
      out[#out + 1] = (first and "" or ",") .. core.encode(tostring(k), core.null) .. ":"
      first = false
      write(out, item, depth + 1)
    end
    out[#out + 1] = "}"
  end

  local function encode(value)
    local out = {}
    write(out, value == nil and core.null or value, 1)
    return table.concat(out)
  end

  local function decode(text)
    if type(text) ~= "string" and type(text) ~= "number" then
      error("bad argument #1 to 'decode' (string expected, got " .. (text == nil and "no value" or type(text)) .. ")", 0)
    end
    text = tostring(text)
    local value, stop, message = core.decode(text, 1, core.null, nil, settings.array)
    if not message and text:find("[^ \t\r\n]", stop) then message = "Expected the end but found something else at character " .. stop end
    if message then error(message, 0) end
    return value
  end

  local function guarded(fn)
    return function(...)
      local ok, value = pcall(fn, ...)
      if ok then return value end
      if safe then return nil, value end
      error(value, 0)
    end
  end
  M.encode, M.decode = guarded(encode), guarded(decode)
  function M.encode_empty_table_as_object(on) if on ~= nil then settings.object = on and true or false end return settings.object end
  function M.encode_max_depth(n) settings.depth = n or settings.depth return settings.depth end
  function M.decode_array_with_array_mt(on) settings.array = on and array_mt or nil return on end
  function M.decode_max_depth(n) return n or 1000 end
  function M.encode_sparse_array() return false, 2, 10 end
  function M.encode_number_precision(n) return n or 14 end
  function M.encode_keep_buffer() return true end
  function M.encode_invalid_numbers() return false end
  function M.decode_invalid_numbers() return true end
  M.new = function() return new(safe) end
  return M
end

return new(name == "cjson.safe")
