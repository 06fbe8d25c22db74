"""How a poem becomes tokens: plan marks or plain text, the grammar that forces a poem's form, and the token masks it makes."""
