"""How a poem is tokens: plan marks or plain text, the grammar that holds a draft to its form, and what it masks."""
