package org.bank.model;

public interface Accounts extends Repository<Account> {
    Account newest();
}
