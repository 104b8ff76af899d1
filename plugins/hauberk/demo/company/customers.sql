-- Everybody here is invented. Phone numbers are from ranges kept for fiction, bank accounts and
-- cards are published test numbers, mail domains are reserved for examples.
CREATE TABLE customers (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    email TEXT NOT NULL,
    phone TEXT NOT NULL,
    iban TEXT NOT NULL,
    card TEXT NOT NULL,
    order_status TEXT NOT NULL
);
INSERT INTO customers VALUES
    (1, 'Ingrid Solberg', 'ingrid.solberg@example.org', '+44 20 7946 0958',
        'GB82 WEST 1234 5698 7654 32', '4111 1111 1111 1111',
        'order 5512 left the warehouse yesterday'),
    (2, 'Tom Okafor', 'tom.okafor@example.net', '+1 202-555-0143',
        'FR14 2004 1010 0505 0001 3M02 606', '5555 5555 5555 4444',
        'order 5498 is being packed'),
    (3, 'Priya Raman', 'priya.raman@example.org', '+1 202-555-0178',
        'NL91 ABNA 0417 1643 00', '4012 8888 8888 1881',
        'order 5520 waits for payment'),
    (4, 'Hugo Martens', 'hugo.martens@example.net', '+44 20 7946 0321',
        'GB29 NWBK 6016 1331 9268 19', '5105 1051 0510 5100',
        'no open order');
