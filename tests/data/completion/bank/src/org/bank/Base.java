package org.bank;

import org.bank.model.Account;

class Base {
    protected static Shared shared;
    protected Account balance;

    Account helper() {
        return null;
    }
}
