-- LuaSQL's interface over the switch's own drivers: env, connection, cursor.
-- The kind of database is the second half of the module's name.
local name, core = ...
local kind = name:match("^luasql%.(.+)$")

local cursor, connection, environment = {}, {}, {}
cursor.__index, connection.__index, environment.__index = cursor, connection, environment
cursor.__tostring = function() return kind .. " cursor" end
connection.__tostring = function() return kind .. " connection" end
environment.__tostring = function() return kind .. " environment" end

local function open(object, what)
  if not object or object.closed then error("LuaSQL: " .. what .. " is closed", 3) end
end

function cursor:fetch(into, mode)
  open(self, "cursor")
  self.at = self.at + 1
  local row = self.rows[self.at]
  if not row then
    self.closed = true
    return nil
  end
  if not into then return table.unpack(row, 1, #self.names) end
  mode = mode or "n"
  for i, column in ipairs(self.names) do
    if mode:find("n", 1, true) then into[i] = row[i] end
    if mode:find("a", 1, true) then into[column] = row[i] end
  end
  return into
end

function cursor:getcolnames() open(self, "cursor") return self.names end

function cursor:getcoltypes()
  open(self, "cursor")
  local types = {}
  for i in ipairs(self.names) do
    types[i] = type(self.rows[1] and self.rows[1][i]) == "number" and "number" or "string"
  end
  return types
end

function cursor:numrows() open(self, "cursor") return #self.rows end

function cursor:close()
  if self.closed then return false end
  self.closed = true
  return true
end

function connection:execute(sql)
  open(self, "connection")
  local names, rows, changed, asked = core.run(self.handle, sql)
  if not names then return nil, "LuaSQL: " .. rows end
  if not asked then return changed end
  return setmetatable({names = names, rows = rows, at = 0}, cursor)
end

function connection:setautocommit(on)
  open(self, "connection")
  if on == (self.manual ~= true) then return true end
  local ok = core.run(self.handle, on and "ROLLBACK" or "BEGIN")
  self.manual = not on or nil
  return ok ~= nil
end

local function finish(word)
  return function(self)
    open(self, "connection")
    if not self.manual then return true end
    return core.run(self.handle, word) ~= nil and core.run(self.handle, "BEGIN") ~= nil
  end
end
connection.commit, connection.rollback = finish("COMMIT"), finish("ROLLBACK")

function connection:escape(text)
  text = text:gsub("'", "''")
  if kind == "mysql" then text = text:gsub("\\", "\\\\") end
  return text
end

function connection:getlastautoid()
  open(self, "connection")
  local question = kind == "mysql" and "SELECT LAST_INSERT_ID()" or kind == "sqlite3" and "SELECT last_insert_rowid()" or "SELECT lastval()"
  local names, rows = core.run(self.handle, question)
  return names and tonumber(rows[1][1])
end

function connection:ping() return core.run(self.handle, "SELECT 1") ~= nil end

function connection:close()
  if self.closed then return false end
  self.closed = true
  core.close(self.handle)
  return true
end

local function braced(key, value)
  if value == nil or value == "" then return "" end
  return key .. "={" .. tostring(value):gsub("}", "}}") .. "};"
end

local function quoted(key, value)
  if value == nil or value == "" then return "" end
  return key .. "='" .. tostring(value):gsub("\\", "\\\\"):gsub("'", "\\'") .. "' "
end

local names = {}

function names.sqlite3(source)
  if source == "" or source == ":memory:" then return core.memory() end
  return core.file(source)
end

function names.postgres(source, user, password, host, port)
  local rest = quoted("user", user) .. quoted("password", password) .. quoted("host", host) .. quoted("port", port)
  if source:find("=", 1, true) then return "pgsql://" .. source .. " " .. rest end
  return "pgsql://" .. quoted("dbname", source) .. rest
end

function names.mysql(source, user, password, host, port)
  return "mariadb://" .. braced("Server", host or "localhost") .. braced("Port", port) .. braced("Database", source)
    .. braced("Uid", user) .. braced("Pwd", password)
end

function names.odbc(source, user, password)
  return "odbc://" .. source .. ":" .. (user or "") .. ":" .. (password or "")
end

function environment:connect(...)
  open(self, "environment")
  local handle, message = core.open(names[kind](...))
  if not handle then return nil, "LuaSQL: " .. message end
  return setmetatable({handle = handle}, connection)
end

function environment:close()
  if self.closed then return false end
  self.closed = true
  return true
end

-- Older scripts use the global of that name; all kinds share one table.
luasql = type(luasql) == "table" and luasql or {_VERSION = "LuaSQL 2.5"}
luasql[kind] = function() return setmetatable({}, environment) end
return luasql
