CREATE TABLE customers (number TEXT PRIMARY KEY, name TEXT, contract INTEGER);
INSERT INTO customers VALUES ('4711', 'Anna Schmidt', 1);
INSERT INTO customers VALUES ('4712', 'Bob Meyer', 0);
